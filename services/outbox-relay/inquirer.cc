#include "services/outbox-relay/inquirer.h"

#include <utility>

#include "services/outbox-relay/side_connection.h"
#include "services/outbox-relay/sql/queries.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// A database that refuses is not asked in a loop.
constexpr milliseconds kPauseAfterFault{1'000};
// The slot of a first start is made within moments.
constexpr milliseconds kNoSlotYet{1'000};
// Nobody has to be waited for so long: it only bounds the wait.
constexpr std::chrono::hours kIdle{1};

}  // namespace

Inquirer::Inquirer(pg::ConnectionSettings database, std::string slot, const log::Logger& logger,
                   News news)
    : database_(BesideTheStream(std::move(database), "inquirer")),
      slot_(std::move(slot)),
      logger_(logger),
      news_(std::move(news)),
      thread_([this](const std::stop_token& stop) { Serve(stop); }) {}

bool Inquirer::TryAskSnapshot() {
  {
    const std::lock_guard lock(mutex_);
    if (asking_ || answer_) return false;
    asking_ = true;
  }
  asked_.notify_one();
  return true;
}

std::optional<Inquirer::Answer> Inquirer::CollectSnapshot() {
  const std::lock_guard lock(mutex_);
  return std::exchange(answer_, std::nullopt);
}

void Inquirer::WatchSlot(bool watch) {
  {
    const std::lock_guard lock(mutex_);
    if (watch == next_look_.has_value()) return;
    next_look_.reset();
    if (watch) next_look_ = SteadyClock::now();
    ++term_;
  }
  asked_.notify_one();
}

void Inquirer::Serve(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const auto planned = next_look_;
    (void)asked_.wait_until(lock, stop, planned.value_or(SteadyClock::now() + kIdle),
                            [&] { return asking_ || next_look_ != planned; });
    if (stop.stop_requested()) return;
    if (std::exchange(connected_in_, term_) != term_) connection_.reset();
    if (asking_) AnswerSnapshot(lock, stop);
    if (next_look_ && SteadyClock::now() >= *next_look_) AnswerSlot(lock);
  }
}

void Inquirer::AnswerSnapshot(std::unique_lock<std::mutex>& lock, const std::stop_token& stop) {
  lock.unlock();
  Answer taken = TakeSnapshot();
  lock.lock();
  if (!taken) asked_.wait_for(lock, stop, kPauseAfterFault, [] { return false; });
  asking_ = false;
  answer_ = std::move(taken);
  lock.unlock();
  news_.on_snapshot();
  lock.lock();
}

void Inquirer::AnswerSlot(std::unique_lock<std::mutex>& lock) {
  const auto term = term_;
  lock.unlock();
  const auto again = LookAtSlot();
  lock.lock();
  // Of a new term the first look is at once.
  if (next_look_ && term == term_) next_look_ = SteadyClock::now() + again;
}

Inquirer::Answer Inquirer::TakeSnapshot() {
  try {
    const auto rows = Database().Execute(sql::kTakeSnapshot);
    const auto row = rows.Only();
    const auto written = ParseLsn(row.Get<std::string_view>(1));
    if (!written) return std::nullopt;
    return TakenSnapshot{.snapshot = row.Get<std::string>(0), .written = *written};
  } catch (const std::exception& fault) {
    logger_.Warn("no snapshot of the database could be taken", {{"why", fault.what()}});
    connection_.reset();
    return std::nullopt;
  }
}

milliseconds Inquirer::LookAtSlot() {
  try {
    const auto rows = Database().Execute(sql::kReadSlot, slot_);
    if (rows.empty()) return kNoSlotYet;
    const auto row = rows.Only();
    news_.on_slot({.wal_status = row.Get<std::string>("wal_status"),
                   .retained = row.Get<std::optional<std::int64_t>>("retained"),
                   .safe = row.Get<std::optional<std::int64_t>>("safe")});
  } catch (const std::exception& fault) {
    logger_.Warn("the slot could not be looked at", {{"why", fault.what()}});
    connection_.reset();
  }
  return kLookInterval;
}

pg::Connection& Inquirer::Database() {
  // One that ended while nobody asked.
  if (connection_ && !connection_->Usable()) connection_.reset();
  if (!connection_) connection_.emplace(database_);
  return *connection_;
}

}  // namespace countersign::relay
