#include "services/outbox-relay/observer.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace countersign::relay {
namespace {

double Seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::int64_t SteadyNow() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

// From a local broker's answer to a long catch-up.
const std::vector<double>& CommitToAckBuckets() {
  static const std::vector<double> buckets = {0.001, 0.002, 0.003, 0.005, 0.01, 0.015,
                                              0.025, 0.05,  0.1,   0.25,  0.5,  1,
                                              2.5,   5,     15,    60,    300,  3600};
  return buckets;
}

}  // namespace

Observer::Observer(metrics::Registry& registry, const Clock& clock)
    : registry_(registry),
      clock_(clock),
      transactions_(registry.AddCounter("relay_transactions_total",
                                        "Transactions with events, read from the WAL")),
      left_out_(registry.AddCounter("relay_left_out_total",
                                    "Events not sent after a restart because Kafka had them")),
      rebuilds_(registry.AddCounter(
          "relay_rebuilds_total", "Times the stream was begun from the tables, not from the slot")),
      left_waiting_(registry.AddCounter("relay_left_waiting_total",
                                        "Events not sent because their key is parked")),
      queue_full_seconds_(registry.AddCounter(
          "relay_queue_full_seconds_total", "Time the WAL was not read because Kafka was slower")),
      committed_(registry.AddCounter("relay_kafka_transactions_total",
                                     "Transactions in Kafka, with delivery: transactional",
                                     {{"result", "committed"}})),
      aborted_(registry.AddCounter("relay_kafka_transactions_total",
                                   "Transactions in Kafka, with delivery: transactional",
                                   {{"result", "aborted"}})),
      commit_to_ack_(registry.AddHistogram("relay_commit_to_ack_seconds",
                                           "From the commit in PostgreSQL to Kafka's "
                                           "acknowledgement",
                                           {}, CommitToAckBuckets())),
      in_flight_(registry.AddGauge("relay_in_flight", "Events handed to Kafka, not acknowledged")),
      lag_bytes_(registry.AddGauge("relay_lag_bytes",
                                   "WAL between the confirmed position and the newest one seen")),
      confirmed_(registry.AddGauge("relay_confirmed_lsn",
                                   "Position up to which Kafka has everything, as a number")),
      leader_(registry.AddGauge("relay_leader", "1 if this relay has the slot, 0 if it stands by")),
      parked_(
          registry.AddGauge("relay_parked_keys", "Keys whose next event Kafka refuses for good")),
      paused_(registry.AddGauge("relay_paused", "1 if an operator has this relay read nothing")),
      awaits_standbys_(registry.AddGauge(
          "relay_awaits_standbys", "1 while a commit waits for a standby (wait_for_standbys)")) {
  registry.AddGaugeFunction("relay_lag_seconds",
                            "Age of the oldest commit that Kafka does not have completely", {},
                            [this] { return LagSeconds(); });
  registry.AddGaugeFunction(
      "relay_checkpoint_age_seconds",
      "Age of the last checkpoint while Kafka has more than it says; 0 if it says all", {},
      [this] { return CheckpointAge(); });
}

void Observer::Acknowledged(std::string_view topic, Instant committed, std::size_t events) {
  auto counter = events_.find(topic);
  if (counter == events_.end()) {
    const std::string name(topic);
    counter =
        events_
            .emplace(name, registry_.AddCounter("relay_events_total",
                                                "Events acknowledged by Kafka", {{"topic", name}}))
            .first;
  }
  counter->second.Increment(static_cast<double>(events));
  ++acknowledged_;
  // The two clocks may differ a little when the database is another machine.
  const double took = std::max(0.0, Seconds(clock_.Now() - committed));
  for (std::size_t i = 0; i < events; ++i) commit_to_ack_.Observe(took);
}

void Observer::Rebuilding() {
  rebuilds_.Increment();
  Trouble("reading the tables, since the slot cannot be used");
}

void Observer::Reconnected(const std::string& cause) {
  forgotten_ = oldest_ != 0;
  auto counter = reconnects_.find(cause);
  if (counter == reconnects_.end()) {
    counter = reconnects_
                  .emplace(cause, registry_.AddCounter("relay_reconnects_total",
                                                       "Streams or producers begun again",
                                                       {{"cause", cause}}))
                  .first;
  }
  counter->second.Increment();
}

void Observer::Leading(bool leads) {
  leader_.Set(leads ? 1 : 0);
  if (!leads) uncovered_since_ = 0;
}

void Observer::Checkpointed(bool everything) {
  if (everything) {
    uncovered_since_ = 0;
  } else if (uncovered_since_ == 0) {
    uncovered_since_ = SteadyNow();
  }
}

void Observer::CheckpointWritten() {
  if (uncovered_since_ != 0) uncovered_since_ = SteadyNow();
}

double Observer::CheckpointAge() const {
  const std::int64_t since = uncovered_since_;
  if (since == 0) return 0.0;
  return Seconds(std::chrono::steady_clock::duration{SteadyNow() - since});
}

void Observer::QueueFull(std::chrono::steady_clock::duration held) const {
  queue_full_seconds_.Increment(Seconds(held));
}

void Observer::Progress(const Acknowledgements& acknowledgements, Lsn seen) {
  const Lsn confirmed = acknowledgements.Confirmed();
  in_flight_.Set(static_cast<double>(acknowledgements.InFlight()));
  lag_bytes_.Set(seen > confirmed ? static_cast<double>(seen.value - confirmed.value) : 0.0);
  confirmed_.Set(static_cast<double>(confirmed.value));
  if (const auto oldest = acknowledgements.Oldest()) {
    oldest_ = oldest->time_since_epoch().count();
    oldest_behind_ = confirmed;
    forgotten_ = false;
  } else if (!forgotten_ || confirmed > oldest_behind_) {
    oldest_ = 0;
    forgotten_ = false;
  }
  if (acknowledgements.InFlight() == 0) {
    waiting_since_ = 0;
  } else if (waiting_since_ == 0 || acknowledged_ != acknowledged_before_) {
    waiting_since_ = SteadyNow();
  }
  acknowledged_before_ = acknowledged_;
}

void Observer::AwaitsStandbys(std::optional<Instant> committed) {
  awaits_standbys_.Set(committed ? 1 : 0);
  awaited_ = committed ? committed->time_since_epoch().count() : 0;
}

double Observer::LagSeconds() const {
  const std::int64_t unconfirmed = oldest_;
  // It comes after all of those.
  const std::int64_t oldest = unconfirmed != 0 ? unconfirmed : awaited_.load();
  if (oldest == 0) return 0.0;
  const auto age = clock_.Now() - Instant{std::chrono::microseconds{oldest}};
  return std::max(0.0, std::chrono::duration<double>(age).count());
}

void Observer::Trouble(std::string what) {
  const std::lock_guard lock(mutex_);
  trouble_ = std::move(what);
}

void Observer::StandsBy() {
  oldest_ = 0;
  forgotten_ = false;
  Trouble({});
}

std::string Observer::Health() const {
  const std::chrono::steady_clock::time_point since{
      std::chrono::steady_clock::duration{waiting_since_.load()}};
  const bool silent =
      since.time_since_epoch().count() != 0 && std::chrono::steady_clock::now() - since > kSilence;
  const std::lock_guard lock(mutex_);
  if (trouble_.empty() && silent) return "kafka acknowledges nothing";
  return trouble_;
}

}  // namespace countersign::relay
