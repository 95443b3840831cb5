#pragma once
#include "libs/pg/connection.h"

namespace countersign::otp::store {

// Makes the log's daily partitions up to `days_ahead` days after today (UTC) that are missing;
// returns how many it made.
int MakeLogPartitions(pg::Connection& connection, int days_ahead);
// On how many days after today events can be written; -1: not even today.
[[nodiscard]] int CountLogDaysAhead(pg::Connection& connection);

}  // namespace countersign::otp::store
