#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "libs/log/logger.h"
#include "libs/metrics/registry.h"
#include "libs/outbox/log_days.h"
#include "libs/pg/connection.h"
#include "libs/pg/conninfo.h"

namespace countersign::outbox {

// Makes a service's daily partitions of the event log ahead, at once and then every hour, on a
// connection that it keeps no longer than that takes. Without a partition no event could be
// written, so its gauge event_log_days_ahead is an alarm; a failure is logged and tried again soon,
// never fatal. It drops nothing, but its gauge event_log_days_kept tells whether the owner's timer
// does.
class LogKeeper {
 public:
  struct Work {
    // Makes the partitions that are missing up to so many days after today, and says how many.
    std::function<int(pg::Connection&, int)> make;
    std::function<LogDays(pg::Connection&)> days;
  };
  LogKeeper(pg::ConnectionSettings database, int days_ahead, Work work, const log::Logger& logger,
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
  const Work work_;
  const log::Logger& logger_;
  metrics::Registry& registry_;
  std::mutex mutex_;
  std::condition_variable_any stopped_;
  std::jthread thread_;  // last: it uses everything above
};

}  // namespace countersign::outbox
