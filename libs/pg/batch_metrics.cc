#include "libs/pg/batch_metrics.h"

#include <chrono>
#include <vector>

namespace countersign::pg {
namespace {

const std::vector<double>& SizeBuckets() {
  static const std::vector<double> buckets = {1, 2, 4, 8, 16, 32, 64};
  return buckets;
}

}  // namespace

BatchMetrics::BatchMetrics(metrics::Registry& registry, const std::string& batch)
    : commands_(registry.AddHistogram("batch_commands", "Commands that shared a statement",
                                      {{"batch", batch}}, SizeBuckets())),
      seconds_(registry.AddHistogram("batch_seconds", "Time of a statement with its commit",
                                     {{"batch", batch}})),
      failures_(registry.AddCounter("batch_failures_total",
                                    "Statements that failed or lost their connection",
                                    {{"batch", batch}})) {}

void BatchMetrics::operator()(const BatchReport& report) const {
  commands_.Observe(static_cast<double>(report.commands));
  seconds_.Observe(std::chrono::duration<double>(report.took).count());
  if (report.failed) failures_.Increment();
}

}  // namespace countersign::pg
