#include "libs/metrics/gathered_histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace countersign::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<double> kBuckets = {0.5, 1, 2};
// On edges, between them, and beyond the last.
const std::vector<double> kValues = {0, 0.25, 0.5, 0.75, 1, 1.5, 2, 64};

TEST(GatheredHistogram, EndsAsIfEachValueHadBeenObservedByItself) {
  Registry one_by_one;
  const Histogram histogram = one_by_one.AddHistogram("seconds", "Time.", {}, kBuckets);
  Registry together;
  GatheredHistogram gathered(together.AddHistogram("seconds", "Time.", {}, kBuckets), kBuckets);
  for (const double value : kValues) {
    histogram.Observe(value);
    gathered.Observe(value);
  }
  gathered.HandOver();
  histogram.Observe(0.75);
  histogram.Observe(0.75);
  gathered.Observe(0.75, 2);
  gathered.HandOver();
  const auto of = [](const Registry& registry) {
    const std::string text = registry.Text();
    const auto begin = text.find("seconds_count{");
    return text.substr(text.find("# TYPE seconds histogram"), text.find("# HELP", begin) - begin);
  };
  EXPECT_EQ(of(together), of(one_by_one));
  EXPECT_THAT(together.Text(), HasSubstr("seconds_bucket{le=\"0.5\"} 3"));
  EXPECT_THAT(together.Text(), HasSubstr("seconds_count 10"));
}

TEST(GatheredHistogram, ShowsNothingBeforeItIsHandedOver) {
  Registry registry;
  GatheredHistogram gathered(registry.AddHistogram("seconds", "Time.", {}, kBuckets), kBuckets);
  gathered.Observe(1);
  EXPECT_THAT(registry.Text(), Not(HasSubstr("seconds_count 1")));
  gathered.HandOver();
  gathered.HandOver();
  EXPECT_THAT(registry.Text(), HasSubstr("seconds_count 1"));
}

}  // namespace
}  // namespace countersign::metrics
