#include "libs/metrics/gathered_histogram.h"

#include <algorithm>
#include <utility>

namespace countersign::metrics {

GatheredHistogram::GatheredHistogram(Histogram histogram, std::vector<double> buckets)
    : histogram_(histogram), buckets_(std::move(buckets)), counts_(buckets_.size() + 1) {}

void GatheredHistogram::Observe(double value, std::size_t times) {
  const auto bucket = std::ranges::lower_bound(buckets_, value) - buckets_.begin();
  const auto weight = static_cast<double>(times);
  counts_[static_cast<std::size_t>(bucket)] += weight;
  sum_ += value * weight;
  any_ = true;
}

void GatheredHistogram::HandOver() {
  if (!any_) return;
  histogram_.ObserveCounted(counts_, sum_);
  std::ranges::fill(counts_, 0.0);
  sum_ = 0;
  any_ = false;
}

}  // namespace countersign::metrics
