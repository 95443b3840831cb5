#include "libs/outbox/log_keeper.h"

#include <chrono>
#include <utility>

namespace countersign::outbox {
namespace {

constexpr std::chrono::hours kPause{1};
constexpr std::chrono::seconds kPauseAfterFailure{30};
// Time for one partition to wait for its locks, and less than a stop may take.
constexpr std::chrono::seconds kStatementTimeout{6};

pg::ConnectionSettings Patient(pg::ConnectionSettings database) {
  database.statement_timeout = kStatementTimeout;
  return database;
}

}  // namespace

LogKeeper::LogKeeper(pg::ConnectionSettings database, int days_ahead, Work work,
                     const log::Logger& logger, metrics::Registry& registry)
    : database_(Patient(std::move(database))),
      days_ahead_(days_ahead),
      work_(std::move(work)),
      logger_(logger),
      registry_(registry),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

void LogKeeper::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const std::chrono::seconds pause = MakePartitions() ? kPause : kPauseAfterFailure;
    std::unique_lock lock(mutex_);
    stopped_.wait_for(lock, stop, pause, [] { return false; });
  }
}

bool LogKeeper::MakePartitions() {
  bool made_all = true;
  try {
    pg::Connection connection(database_);
    try {
      const int made = work_.make(connection, days_ahead_);
      if (made > 0) logger_.Info("log partitions made", {{"count", made}});
    } catch (const pg::Refused& fault) {
      made_all = false;
      logger_.Warn("log partitions could not be made", {{"detail", fault.what()}});
    }
    // Also when none could be made: that is what the alarm is for.
    const LogDays days = work_.days(connection);
    registry_.AddGauge("event_log_days_ahead", "Days after today for which events can be written")
        .Set(days.ahead);
    registry_.AddGauge("event_log_days_kept", "Age of the event log's oldest day").Set(days.kept);
  } catch (const std::exception& fault) {
    made_all = false;
    logger_.Warn("the event log could not be looked after", {{"detail", fault.what()}});
  }
  return made_all;
}

}  // namespace countersign::outbox
