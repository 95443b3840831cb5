#pragma once
// What the service tells the outside: metrics and health. Thread safe.
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "libs/metrics/registry.h"
#include "services/otp/domain/challenge.h"
#include "services/otp/domain/delivery.h"

namespace countersign::otp {

class Observer {
 public:
  explicit Observer(metrics::Registry& registry);

  void Judged(Verdict verdict) const;
  // One provider call each.
  void SendBegan() const { in_flight_.Add(1); }
  void SendAnswered(std::chrono::steady_clock::duration took) const;
  void CheckAnswered(std::chrono::steady_clock::duration took) const;
  // An intent that is over, once per intent; one that goes back to wait is counted each time.
  void Ended(DeliveryState state) const;
  void Repeated() const { repeated_.Increment(); }
  // A record of the topic for which nothing more will be done.
  void RecordFinished() const { finished_records_.Increment(); }
  void DeadLettered() const { dead_letters_.Increment(); }
  // Records taken from the topic and not finished, and the age of the oldest of them.
  void Backlog(std::size_t records, std::chrono::milliseconds oldest) const;

  // What keeps codes from being sent now, by cause; empty when nothing does.
  void Trouble(const std::string& cause, std::string what);
  // For /healthz.
  [[nodiscard]] std::string Health() const;

 private:
  std::map<Verdict, metrics::Counter> verdicts_;
  std::map<DeliveryState, metrics::Counter> deliveries_;
  metrics::Counter repeated_;
  metrics::Counter finished_records_;
  metrics::Counter dead_letters_;
  metrics::Gauge in_flight_;
  metrics::Gauge unfinished_;
  metrics::Gauge lag_;
  metrics::Histogram send_seconds_;
  metrics::Histogram check_seconds_;

  mutable std::mutex mutex_;
  std::map<std::string, std::string> troubles_;  // guarded by mutex_
};

}  // namespace countersign::otp
