#include "services/outbox-relay/snapshot_taker.h"

#include <utility>

#include "services/outbox-relay/side_connection.h"
#include "services/outbox-relay/sql/queries.h"

namespace countersign::relay {
namespace {

// A database that refuses is not asked in a loop.
constexpr std::chrono::milliseconds kPauseAfterFault{1'000};

}  // namespace

SnapshotTaker::SnapshotTaker(pg::ConnectionSettings database, const log::Logger& logger,
                             std::function<void()> on_answer)
    : database_(BesideTheStream(std::move(database), "snapshots")),
      logger_(logger),
      on_answer_(std::move(on_answer)),
      thread_([this](const std::stop_token& stop) { Serve(stop); }) {}

bool SnapshotTaker::TryAsk() {
  {
    const std::lock_guard lock(mutex_);
    if (asking_ || answer_) return false;
    asking_ = true;
  }
  asked_.notify_one();
  return true;
}

std::optional<SnapshotTaker::Answer> SnapshotTaker::Collect() {
  const std::lock_guard lock(mutex_);
  return std::exchange(answer_, std::nullopt);
}

void SnapshotTaker::Serve(const std::stop_token& stop) {
  std::optional<pg::Connection> connection;
  while (true) {
    std::unique_lock lock(mutex_);
    if (!asked_.wait(lock, stop, [this] { return asking_; })) return;
    lock.unlock();
    Answer taken = Take(connection);
    lock.lock();
    if (!taken) asked_.wait_for(lock, stop, kPauseAfterFault, [] { return false; });
    asking_ = false;
    answer_ = std::move(taken);
    lock.unlock();
    on_answer_();
  }
}

SnapshotTaker::Answer SnapshotTaker::Take(std::optional<pg::Connection>& connection) {
  try {
    if (!connection) connection.emplace(database_);
    const auto rows = connection->Execute(sql::kTakeSnapshot);
    const auto row = rows.Only();
    const auto written = ParseLsn(row.Get<std::string_view>(1));
    if (!written) return std::nullopt;
    return TakenSnapshot{.snapshot = row.Get<std::string>(0), .written = *written};
  } catch (const std::exception& fault) {
    logger_.Warn("no snapshot of the database could be taken", {{"why", fault.what()}});
    connection.reset();
    return std::nullopt;
  }
}

}  // namespace countersign::relay
