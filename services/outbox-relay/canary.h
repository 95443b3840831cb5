#pragma once
// The canary: while it leads, the relay writes a row into relay.canary every few seconds and waits
// for it at the other end of Kafka, as a stranger would. So one number covers the whole way, which
// no view from within does, and the slot moves on a database in which nothing else happens.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "libs/kafka/consumer.h"
#include "libs/log/logger.h"
#include "libs/metrics/registry.h"
#include "libs/pg/connection.h"
#include "services/outbox-relay/control.h"

namespace countersign::relay {

struct CanarySettings {
  std::chrono::milliseconds interval{0};  // 0: none flies, and so none is overdue
  std::string topic = "countersign.relay.canary";
  pg::ConnectionSettings database;
  kafka::ClientSettings cluster;
  std::string slot;
};

class Canary {
 public:
  // After this it is overdue.
  static constexpr std::chrono::seconds kPatience{10};

  // The others must outlive it.
  Canary(CanarySettings settings, const Control& control, metrics::Registry& registry,
         const log::Logger& logger);

 private:
  struct Written {
    std::string event_id;
    std::int64_t id = 0;
  };
  void Run(const std::stop_token& stop);
  // One row, there and back; false if it was given up because nobody need be worried.
  [[nodiscard]] bool Fly(const std::stop_token& stop);
  [[nodiscard]] bool Await(const Written& row, const std::stop_token& stop);
  [[nodiscard]] Written Write();
  void Watch();
  // This relay leads and reads.
  [[nodiscard]] bool Wanted() const;
  [[nodiscard]] double Overdue() const;
  static void Rest(const std::stop_token& stop, std::chrono::steady_clock::time_point until);

  const CanarySettings settings_;
  const Control& control_;
  const log::Logger& logger_;
  metrics::Gauge seconds_;
  // When the one that is on its way was written, or should have been; 0: none. Steady nanoseconds.
  std::atomic<std::int64_t> since_{0};
  std::optional<pg::Connection> database_;
  std::unique_ptr<kafka::Consumer> consumer_;
  std::jthread thread_;  // last: it uses everything above
};

}  // namespace countersign::relay
