#include "services/otp/observer.h"

#include <utility>

namespace countersign::otp {
namespace {

double Seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::map<Verdict, metrics::Counter> VerdictCounters(metrics::Registry& registry) {
  std::map<Verdict, metrics::Counter> counters;
  for (const Verdict verdict : {Verdict::kApproved, Verdict::kWrong, Verdict::kExhausted,
                                Verdict::kExpired, Verdict::kNotFound, Verdict::kUsed}) {
    counters.emplace(verdict, registry.AddCounter("otp_verdicts_total", "Answers to VerifyOtp",
                                                  {{"verdict", std::string(ToString(verdict))}}));
  }
  return counters;
}

// An intent that is `received` again was not sent: its call provably never happened.
std::map<DeliveryState, metrics::Counter> DeliveryCounters(metrics::Registry& registry) {
  std::map<DeliveryState, metrics::Counter> counters;
  for (const DeliveryState state :
       {DeliveryState::kReceived, DeliveryState::kSent, DeliveryState::kFailed,
        DeliveryState::kUnknown, DeliveryState::kExpired, DeliveryState::kSuperseded,
        DeliveryState::kDecoy}) {
    const std::string outcome(state == DeliveryState::kReceived ? "not_sent" : ToString(state));
    counters.emplace(state, registry.AddCounter("otp_deliveries_total", "Fates of codes asked for",
                                                {{"outcome", outcome}}));
  }
  return counters;
}

metrics::Histogram ProviderSeconds(metrics::Registry& registry, const std::string& call) {
  return registry.AddHistogram("otp_provider_seconds", "Time until the provider answered",
                               {{"call", call}});
}

}  // namespace

Observer::Observer(metrics::Registry& registry)
    : verdicts_(VerdictCounters(registry)),
      deliveries_(DeliveryCounters(registry)),
      repeated_(registry.AddCounter("otp_repeated_records_total",
                                    "Records whose event had been taken up before")),
      finished_records_(registry.AddCounter("otp_finished_records_total",
                                            "Records for which nothing more will be done")),
      dead_letters_(registry.AddCounter("otp_dead_letters_total",
                                        "Records that could not be read, moved to the .dlt topic")),
      in_flight_(registry.AddGauge("otp_sends_in_flight", "Calls the provider has not answered")),
      unfinished_(registry.AddGauge("otp_unfinished_records",
                                    "Records taken from the topic and not finished")),
      lag_(registry.AddGauge("otp_consumer_lag_seconds",
                             "Age of the oldest record that was taken and is not finished")),
      send_seconds_(ProviderSeconds(registry, "send")),
      check_seconds_(ProviderSeconds(registry, "check")) {}

void Observer::Judged(Verdict verdict) const { verdicts_.at(verdict).Increment(); }

void Observer::SendAnswered(std::chrono::steady_clock::duration took) const {
  in_flight_.Add(-1);
  send_seconds_.Observe(Seconds(took));
}

void Observer::CheckAnswered(std::chrono::steady_clock::duration took) const {
  check_seconds_.Observe(Seconds(took));
}

void Observer::Ended(DeliveryState state) const {
  const auto counter = deliveries_.find(state);
  if (counter != deliveries_.end()) counter->second.Increment();
}

void Observer::Backlog(std::size_t records, std::chrono::milliseconds oldest) const {
  unfinished_.Set(static_cast<double>(records));
  lag_.Set(Seconds(oldest));
}

void Observer::Trouble(const std::string& cause, std::string what) {
  const std::lock_guard lock(mutex_);
  if (what.empty()) {
    troubles_.erase(cause);
  } else {
    troubles_[cause] = std::move(what);
  }
}

std::string Observer::Health() const {
  const std::lock_guard lock(mutex_);
  std::string health;
  for (const auto& [cause, what] : troubles_) {
    if (!health.empty()) health += "; ";
    health += cause + ": " + what;
  }
  return health;
}

}  // namespace countersign::otp
