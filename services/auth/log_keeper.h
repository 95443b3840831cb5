#pragma once
#include <condition_variable>
#include <mutex>
#include <thread>

#include "libs/log/logger.h"
#include "libs/metrics/registry.h"
#include "libs/pg/conninfo.h"

namespace countersign::auth {

// Makes the event log's daily partitions ahead, at once and then every hour, on a connection that
// it keeps no longer than that takes. Without a partition no event could be written, so its gauge
// event_log_days_ahead is an alarm; a failure is logged and tried again soon, never fatal.
class LogKeeper {
 public:
  LogKeeper(pg::ConnectionSettings database, int days_ahead, const log::Logger& logger,
            metrics::Registry& registry);
  // Waits for the statement under way.
  ~LogKeeper() = default;
  LogKeeper(const LogKeeper&) = delete;
  LogKeeper& operator=(const LogKeeper&) = delete;

  // Begins nothing more; does not wait.
  void Quit() { thread_.request_stop(); }

 private:
  void Run(const std::stop_token& stop);
  // False: failed.
  [[nodiscard]] bool MakePartitions();

  const pg::ConnectionSettings database_;
  const int days_ahead_;
  const log::Logger& logger_;
  metrics::Registry& registry_;
  std::mutex mutex_;
  std::condition_variable_any stopped_;
  std::jthread thread_;  // last: it uses everything above
};

}  // namespace countersign::auth
