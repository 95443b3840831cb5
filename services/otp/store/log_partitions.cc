#include "services/otp/store/log_partitions.h"

#include "services/otp/store/queries.h"

namespace countersign::otp::store {

int MakeLogPartitions(pg::Connection& connection, int days_ahead) {
  return connection.Execute(kMakeLogPartitions, days_ahead).Only().Get<int>("made");
}

outbox::LogDays ReadLogDays(pg::Connection& connection) {
  const auto rows = connection.Execute(kReadLogDays);
  const auto row = rows.Only();
  return {.ahead = row.Get<int>("ahead"), .kept = row.Get<int>("kept")};
}

}  // namespace countersign::otp::store
