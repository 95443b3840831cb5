#pragma once
// What the relay tells the outside: metrics and health.
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "libs/core/clock.h"
#include "libs/core/lsn.h"
#include "libs/metrics/gathered_histogram.h"
#include "libs/metrics/registry.h"
#include "services/outbox-relay/domain/acknowledgements.h"
#include "services/outbox-relay/slot_report.h"

namespace countersign::relay {

// Called by the relay's thread, but for Slot; scrapes and health checks come from others.
class Observer {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  Observer(metrics::Registry& registry, const Clock& clock);

  // Kafka's client took an event, whose row was read then.
  void Produced(Instant committed, SteadyTime read, SteadyTime produced);
  // Kafka has an event, perhaps in a transaction that is still open, so long after that.
  void Heard(std::chrono::microseconds after);
  // So many events of one transaction are in Kafka, where readers see them; bytes of all of them.
  void Acknowledged(std::string_view topic, Instant committed, std::size_t bytes,
                    std::size_t events = 1);
  void KafkaTransaction(bool committed) const { (committed ? committed_ : aborted_).Increment(); }
  void TransactionRead() const { transactions_.Increment(); }
  void Paused(bool paused) const { paused_.Set(paused ? 1 : 0); }
  // Of the relays of one slot, one leads.
  void Leading(bool leads);
  // An event that Kafka had already was not sent again.
  void LeftOut() const { left_out_.Increment(); }
  // So many keys are parked now.
  void Parked(std::size_t keys) const { parked_.Set(static_cast<double>(keys)); }
  // An event waits behind a parked one.
  void LeftWaiting() const { left_waiting_.Increment(); }
  // The tables are read because the slot cannot be.
  void Rebuilding();
  // The relay begins again: what it had not confirmed is still to be done.
  void Reconnected(const std::string& cause);
  void QueueFull(std::chrono::steady_clock::duration held) const;
  // What was committed at that time waits for a standby; empty: nothing does.
  void AwaitsStandbys(std::optional<Instant> committed);
  // Once in each turn. `seen` is the end of the server's WAL as far as the relay knows.
  void Progress(const Acknowledgements& acknowledgements, Lsn seen);

  // A checkpoint says everything that Kafka has; or it does not, or there is a new one.
  void Checkpointed(bool everything);
  void CheckpointWritten();
  [[nodiscard]] double LagSeconds() const;
  [[nodiscard]] double CheckpointAge() const;
  [[nodiscard]] double ParkedKeys() const { return parked_.Value(); }

  // What PostgreSQL said of the slot, to the relay that leads. Called by any thread.
  void Slot(const SlotReport& report, SteadyTime asked);

  // What keeps events from flowing now; empty when nothing does.
  void Trouble(std::string what);
  // Another relay leads, or shall: what this one had to bring is that one's.
  void StandsBy();
  // For /healthz: the trouble, or that Kafka is silent though events are on their way.
  [[nodiscard]] std::string Health() const;

  static constexpr std::chrono::seconds kSilence{15};
  // What was said of the slot longer ago does not count.
  static constexpr std::chrono::seconds kSlotKnown{35};

 private:
  // A time of both clocks.
  struct Moment {
    Instant wall;
    SteadyTime steady;
  };
  struct OfTopic {
    metrics::Counter events;
    metrics::Counter bytes;
  };
  void AddSlotGauges();
  [[nodiscard]] OfTopic& Of(std::string_view topic);
  [[nodiscard]] metrics::GatheredHistogram Stage(const std::string& name);
  // Since the commit of what was done then.
  [[nodiscard]] double Since(Instant committed, SteadyTime done) const;
  [[nodiscard]] Moment Now() const;
  // None if nobody knows it.
  [[nodiscard]] std::optional<SlotReport> KnownSlot() const;

  metrics::Registry& registry_;
  const Clock& clock_;
  metrics::Counter transactions_;
  metrics::Counter left_out_;
  metrics::Counter rebuilds_;
  metrics::Counter left_waiting_;
  metrics::Counter queue_full_seconds_;
  metrics::Counter committed_;
  metrics::Counter aborted_;
  metrics::GatheredHistogram commit_to_ack_;
  metrics::GatheredHistogram read_;
  metrics::GatheredHistogram queue_;
  metrics::GatheredHistogram acknowledge_;
  metrics::Gauge in_flight_;
  metrics::Gauge lag_bytes_;
  metrics::Gauge confirmed_;
  metrics::Gauge leader_;
  metrics::Gauge parked_;
  metrics::Gauge paused_;
  metrics::Gauge awaits_standbys_;
  std::map<std::string, OfTopic, std::less<>> topics_;
  std::map<std::string, metrics::Counter> reconnects_;
  Moment turn_;  // of the last Progress
  // Commit time of the oldest unconfirmed one, and of the one that waits for a standby; 0: none.
  std::atomic<std::int64_t> oldest_{0};
  std::atomic<std::int64_t> awaited_{0};
  Lsn oldest_behind_{};     // what was confirmed when oldest_ was seen
  bool forgotten_ = false;  // the relay has given up what it was doing, and nobody has done it

  // When Kafka last acknowledged something, or the first event went out to it; 0: nothing is on its
  // way. Steady nanoseconds.
  std::atomic<std::int64_t> waiting_since_{0};
  std::uint64_t acknowledged_ = 0;
  std::uint64_t acknowledged_before_ = 0;

  // Since when something is in Kafka that no checkpoint says; 0: nothing is. Steady nanoseconds.
  std::atomic<std::int64_t> uncovered_since_{0};

  mutable std::mutex mutex_;
  // All guarded by mutex_.
  std::string trouble_ = "does not stream yet";
  bool leads_ = false;
  std::optional<SlotReport> slot_;
  SteadyTime slot_asked_{};
};

}  // namespace countersign::relay
