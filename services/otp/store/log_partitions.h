#pragma once
#include "libs/outbox/log_days.h"
#include "libs/pg/connection.h"

namespace countersign::otp::store {

// Makes the log's daily partitions up to `days_ahead` days after today (UTC) that are missing;
// returns how many it made.
int MakeLogPartitions(pg::Connection& connection, int days_ahead);
[[nodiscard]] outbox::LogDays ReadLogDays(pg::Connection& connection);

}  // namespace countersign::otp::store
