#pragma once
// Takes snapshots of the database beside the stream: on a thread and a connection of its own, since
// the relay's thread must not wait for a database that is slow to answer.
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "libs/log/logger.h"
#include "libs/pg/connection.h"
#include "services/outbox-relay/domain/settling.h"

namespace countersign::relay {

class SnapshotTaker {
 public:
  // One taken snapshot, or none if the database did not answer.
  using Answer = std::optional<TakenSnapshot>;

  // `on_answer` is called on the taker's thread when Collect has something to give.
  SnapshotTaker(pg::ConnectionSettings database, const log::Logger& logger,
                std::function<void()> on_answer);

  // One is taken after this call; false if the one before was not collected yet.
  [[nodiscard]] bool TryAsk();
  // The answer; empty while there is none.
  [[nodiscard]] std::optional<Answer> Collect();

 private:
  void Serve(const std::stop_token& stop);
  [[nodiscard]] Answer Take(std::optional<pg::Connection>& connection);

  const pg::ConnectionSettings database_;
  const log::Logger& logger_;
  const std::function<void()> on_answer_;

  std::mutex mutex_;
  std::condition_variable_any asked_;
  bool asking_ = false;           // guarded by mutex_, as the next one
  std::optional<Answer> answer_;  // not collected yet

  std::jthread thread_;  // last: it uses everything above
};

}  // namespace countersign::relay
