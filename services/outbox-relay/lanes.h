#pragma once
// Which keys wait in PostgreSQL because Kafka refuses their next event, and the one that is being
// released.
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/log/logger.h"
#include "services/outbox-relay/domain/outbox_row.h"
#include "services/outbox-relay/domain/seen_events.h"
#include "services/outbox-relay/observer.h"
#include "services/outbox-relay/parking.h"
#include "services/outbox-relay/relay_settings.h"

namespace countersign::relay {

// Not thread safe. Load, Park, Wanting and EndRelease wait for the database, for two seconds at
// most, and throw pg::ReplicationFault.
class Lanes {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  Lanes(const RelaySettings& settings, const log::Logger& logger, Observer& observer);

  // When a session begins. What an earlier one began to release is begun again before anything
  // else. Throws also if a key is parked and this relay parks none.
  void Load();
  // An event waits if it is the refused one of its key or comes later.
  [[nodiscard]] bool Waits(const Table& table, const OutboxRow& row) const;
  // This event and later ones of its key wait from now on: it is written down. Else what to say of
  // an event that cannot be parked.
  [[nodiscard]] Readable<void> Park(const Table& table, const OutboxRow& row,
                                    const std::string& why);
  // One was, since this was asked last.
  [[nodiscard]] bool HasParked() { return std::exchange(has_parked_, false); }

  // When to ask an operator's wishes; never while no key is parked.
  [[nodiscard]] SteadyTime Due() const;
  // The keys to be released.
  [[nodiscard]] std::vector<std::pair<Lane, Parked>> Wanting();
  // What comes of this key does not wait until EndRelease, unless it is parked again. `seen`: what
  // Kafka has of it already, perhaps with other events.
  void BeginRelease(const Lane& lane, SeenEvents seen);
  [[nodiscard]] bool IsInKafka(std::string_view event_id) const;
  void Sent(std::string_view event_id);
  // All of the key is in Kafka. Gives back what was sent.
  [[nodiscard]] SeenEvents EndRelease(const Parked& parked);
  void GiveUpRelease() { releasing_.reset(); }

 private:
  // How often an operator's wishes are asked for.
  static constexpr std::chrono::milliseconds kPoll{1'000};
  struct Releasing {
    Lane lane;
    SeenEvents seen;
    SeenEvents sent;
    bool parked_again = false;
  };

  const OnRefusal on_refusal_;
  const log::Logger& logger_;
  Observer& observer_;
  Parking parking_;
  SteadyTime asked_{};
  bool has_parked_ = false;
  std::optional<Releasing> releasing_;
};

}  // namespace countersign::relay
