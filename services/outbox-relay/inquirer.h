#pragma once
// Asks the database beside the stream: on a thread and a connection of its own, since the relay's
// thread must not wait for a database that is slow to answer. It takes snapshots when it is asked
// to, and looks at the slot from time to time; both are rare and short, so they share the
// connection.
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "libs/log/logger.h"
#include "libs/pg/connection.h"
#include "services/outbox-relay/domain/settling.h"
#include "services/outbox-relay/slot_report.h"

namespace countersign::relay {

class Inquirer {
 public:
  // One taken snapshot, or none if the database did not answer.
  using Answer = std::optional<TakenSnapshot>;
  // Both are called on the inquirer's thread.
  struct News {
    std::function<void()> on_snapshot;  // CollectSnapshot has something to give
    std::function<void(const SlotReport&)> on_slot;
  };

  // The slot is looked at so often.
  static constexpr std::chrono::seconds kLookInterval{10};

  Inquirer(pg::ConnectionSettings database, std::string slot, const log::Logger& logger, News news);

  // One is taken after this call; false if the one before was not collected yet.
  [[nodiscard]] bool TryAskSnapshot();
  // The answer; empty while there is none.
  [[nodiscard]] std::optional<Answer> CollectSnapshot();
  // While this relay leads the slot is looked at, the first time at once.
  void WatchSlot(bool watch);

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  void Serve(const std::stop_token& stop);
  // Both give the lock up while the database is asked.
  void AnswerSnapshot(std::unique_lock<std::mutex>& lock, const std::stop_token& stop);
  void AnswerSlot(std::unique_lock<std::mutex>& lock);
  [[nodiscard]] Answer TakeSnapshot();
  // How soon to look again.
  [[nodiscard]] std::chrono::milliseconds LookAtSlot();
  // Connects if needed.
  [[nodiscard]] pg::Connection& Database();

  const pg::ConnectionSettings database_;
  const std::string slot_;
  const log::Logger& logger_;
  const News news_;

  std::mutex mutex_;
  std::condition_variable_any asked_;
  // All guarded by mutex_.
  bool asking_ = false;
  std::optional<Answer> answer_;         // not collected yet
  std::optional<SteadyTime> next_look_;  // empty: the slot is not watched
  std::uint64_t term_ = 0;               // the next one may be on another server

  // Of the thread.
  std::optional<pg::Connection> connection_;
  std::uint64_t connected_in_ = 0;

  std::jthread thread_;  // last: it uses everything above
};

}  // namespace countersign::relay
