#include "libs/rpc/method_metrics.h"

#include <algorithm>
#include <utility>

#include "libs/rpc/code_name.h"

namespace countersign::rpc {

MethodMetrics::MethodMetrics(metrics::Registry& registry, std::string rpc)
    : registry_(registry),
      rpc_(std::move(rpc)),
      seconds_(registry.AddHistogram("rpc_seconds", "Time from the request to its answer.",
                                     {{"rpc", rpc_}})),
      in_flight_(registry.AddGauge("rpc_in_flight", "Calls not answered yet.", {{"rpc", rpc_}})) {}

void MethodMetrics::Ended(const Reason* reason, std::chrono::nanoseconds took) {
  in_flight_.Add(-1);
  seconds_.Observe(std::chrono::duration<double>(took).count());
  const auto index = static_cast<std::size_t>(
      std::distance(reasons::kAll.begin(), std::ranges::find(reasons::kAll, reason)));
  Outcome& outcome = outcomes_[index];
  std::call_once(outcome.made, [&] {
    outcome.counter = registry_.AddCounter(
        "rpc_requests_total", "Calls answered.",
        {{"rpc", rpc_},
         {"code", std::string(reason == nullptr ? "OK" : CodeName(reason->kind))},
         {"reason", std::string(reason == nullptr ? "" : reason->word)}});
  });
  outcome.counter->Increment();
}

}  // namespace countersign::rpc
