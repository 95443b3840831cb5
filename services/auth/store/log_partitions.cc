#include "services/auth/store/log_partitions.h"

#include "services/auth/store/queries.h"

namespace countersign::auth::store {

int MakeLogPartitions(pg::Connection& connection, int days_ahead) {
  return connection.Execute(kMakeLogPartitions, days_ahead).Only().Get<int>("made");
}

int CountLogDaysAhead(pg::Connection& connection) {
  return connection.Execute(kCountLogDaysAhead).Only().Get<int>("days");
}

}  // namespace countersign::auth::store
