#pragma once
#include <cstddef>
#include <vector>

#include "libs/metrics/registry.h"

namespace countersign::metrics {

// What one thread observes, handed to its histogram together. One by one each value costs a lock
// and atomic additions, which counts where there are a hundred thousand a second. Not thread safe.
class GatheredHistogram {
 public:
  // `buckets` are those that the histogram was made with.
  GatheredHistogram(Histogram histogram, std::vector<double> buckets);

  void Observe(double value, std::size_t times = 1);
  // Only now are they seen.
  void HandOver();

 private:
  Histogram histogram_;
  std::vector<double> buckets_;
  std::vector<double> counts_;  // of the buckets, and of what is beyond the last
  double sum_ = 0;
  bool any_ = false;
};

}  // namespace countersign::metrics
