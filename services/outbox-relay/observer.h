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
#include "libs/metrics/registry.h"
#include "services/outbox-relay/domain/acknowledgements.h"

namespace countersign::relay {

// Called by the relay's thread; scrapes and health checks come from others.
class Observer {
 public:
  Observer(metrics::Registry& registry, const Clock& clock);

  // So many events of one transaction are in Kafka, where readers see them.
  void Acknowledged(std::string_view topic, Instant committed, std::size_t events = 1);
  // Kafka has an event in a transaction that is still open.
  void Heard() { ++acknowledged_; }
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
  // `seen` is the end of the server's WAL as far as the relay knows.
  void Progress(const Acknowledgements& acknowledgements, Lsn seen);

  // A checkpoint says everything that Kafka has; or it does not, or there is a new one.
  void Checkpointed(bool everything);
  void CheckpointWritten();
  [[nodiscard]] double LagSeconds() const;
  [[nodiscard]] double CheckpointAge() const;
  [[nodiscard]] double ParkedKeys() const { return parked_.Value(); }

  // What keeps events from flowing now; empty when nothing does.
  void Trouble(std::string what);
  // Another relay leads, or shall: what this one had to bring is that one's.
  void StandsBy();
  // For /healthz: the trouble, or that Kafka is silent though events are on their way.
  [[nodiscard]] std::string Health() const;

  static constexpr std::chrono::seconds kSilence{15};

 private:
  metrics::Registry& registry_;
  const Clock& clock_;
  metrics::Counter transactions_;
  metrics::Counter left_out_;
  metrics::Counter rebuilds_;
  metrics::Counter left_waiting_;
  metrics::Counter queue_full_seconds_;
  metrics::Counter committed_;
  metrics::Counter aborted_;
  metrics::Histogram commit_to_ack_;
  metrics::Gauge in_flight_;
  metrics::Gauge lag_bytes_;
  metrics::Gauge confirmed_;
  metrics::Gauge leader_;
  metrics::Gauge parked_;
  metrics::Gauge paused_;
  metrics::Gauge awaits_standbys_;
  std::map<std::string, metrics::Counter, std::less<>> events_;
  std::map<std::string, metrics::Counter> reconnects_;
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
  std::string trouble_ = "does not stream yet";  // guarded by mutex_
};

}  // namespace countersign::relay
