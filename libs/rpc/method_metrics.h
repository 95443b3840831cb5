#pragma once
#include <array>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "libs/core/reasons.h"
#include "libs/metrics/registry.h"

namespace countersign::rpc {

// The metrics of one rpc. Thread safe; a series appears with its first call.
class MethodMetrics {
 public:
  MethodMetrics(metrics::Registry& registry, std::string rpc);

  void Began() const { in_flight_.Add(1); }
  // `reason` is null for OK.
  void Ended(const Reason* reason, std::chrono::nanoseconds took);

 private:
  static constexpr std::size_t kOutcomes = reasons::kAll.size() + 1;  // the last is OK
  struct Outcome {
    std::once_flag made;
    std::optional<metrics::Counter> counter;
  };

  metrics::Registry& registry_;
  std::string rpc_;
  metrics::Histogram seconds_;
  metrics::Gauge in_flight_;
  std::array<Outcome, kOutcomes> outcomes_;
};

}  // namespace countersign::rpc
