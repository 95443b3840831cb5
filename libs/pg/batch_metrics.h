#pragma once
// What batchers tell Prometheus, each under its own `batch` label:
//   batch_commands, batch_seconds, batch_failures_total, batch_queue, batch_connections
#include <string>

#include "libs/metrics/registry.h"
#include "libs/pg/batcher.h"

namespace countersign::pg {

// For BatcherOptions::observe.
class BatchMetrics {
 public:
  BatchMetrics(metrics::Registry& registry, const std::string& batch);
  void operator()(const BatchReport& report) const;

 private:
  metrics::Histogram commands_;
  metrics::Histogram seconds_;
  metrics::Counter failures_;
};

// Read at each scrape; the batcher must live as long as the registry's endpoint.
template <typename Command, typename Answer>
void WatchBatcher(metrics::Registry& registry, const std::string& batch,
                  const Batcher<Command, Answer>& batcher) {
  registry.AddGaugeFunction("batch_queue", "Commands accepted and not yet taken",
                            {{"batch", batch}},
                            [&batcher] { return static_cast<double>(batcher.queued()); });
  registry.AddGaugeFunction("batch_connections", "Connections to the database that are up",
                            {{"batch", batch}},
                            [&batcher] { return static_cast<double>(batcher.connected()); });
}

// "no connection for send, redeem", or empty. `for_each` calls its argument with the name and the
// batcher, for each of them. For /healthz.
template <typename ForEach>
[[nodiscard]] std::string WithoutConnection(ForEach for_each) {
  std::string down;
  for_each([&](const std::string& name, const auto& batcher) {
    if (batcher.connected() == 0) down += (down.empty() ? "no connection for " : ", ") + name;
  });
  return down;
}

}  // namespace countersign::pg
