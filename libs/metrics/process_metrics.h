#pragma once
#include "libs/metrics/registry.h"

namespace countersign::metrics {

// The names the Prometheus client libraries agree on, read from /proc at every scrape.
void AddProcessMetrics(Registry& registry);

}  // namespace countersign::metrics
