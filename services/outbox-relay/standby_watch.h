#pragma once
// Asks the primary how far its standbys are, on a thread and a connection of its own.
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "libs/core/lsn.h"
#include "libs/log/logger.h"
#include "libs/pg/connection.h"
#include "services/outbox-relay/domain/standby_position.h"

namespace countersign::relay {

class StandbyWatch {
 public:
  // `slots`: the physical replication slots that the standbys stream from. `on_safe` is called on
  // the watch's thread whenever more is safe.
  StandbyWatch(pg::ConnectionSettings database, std::vector<std::string> slots,
               const log::Logger& logger, std::function<void()> on_safe);

  // Every standby has the whole record that ends at this position or has it inside. If not, they
  // are asked until they do.
  [[nodiscard]] bool Have(Lsn position);
  // Why nothing could be learned for longer than this; empty if something was. A server that stops
  // answers no more questions, and waits for whoever streams from it.
  [[nodiscard]] std::string BlindFor(std::chrono::milliseconds limit) const;
  // The slot that is furthest behind; empty before the first look.
  [[nodiscard]] std::string Last() const;
  // Whatever was known was of another server.
  void Forget();

 private:
  void Serve(const std::stop_token& stop);
  void Blind(const std::string& why);
  // Whether they have more than before; connects if needed.
  [[nodiscard]] bool Look(std::optional<pg::Connection>& connection, std::uint64_t term);

  const pg::ConnectionSettings database_;
  const std::vector<std::string> slots_;
  const log::Logger& logger_;
  const std::function<void()> on_safe_;

  mutable std::mutex mutex_;
  std::condition_variable_any asked_;
  // All guarded by mutex_.
  StandbyPosition position_;
  Lsn wanted_;
  std::string last_;
  std::optional<std::chrono::steady_clock::time_point> blind_since_;
  std::string why_blind_;
  std::uint64_t term_ = 0;  // of the server that is asked

  std::jthread thread_;  // last: it uses everything above
};

}  // namespace countersign::relay
