#include "services/otp/store/log_partitions.h"

#include "services/otp/store/queries.h"

namespace countersign::otp::store {

int MakeLogPartitions(pg::Connection& connection, int days_ahead) {
  return connection.Execute(kMakeLogPartitions, days_ahead).Only().Get<int>("made");
}

int CountLogDaysAhead(pg::Connection& connection) {
  return connection.Execute(kCountLogDaysAhead).Only().Get<int>("days");
}

}  // namespace countersign::otp::store
