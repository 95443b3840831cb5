#include "services/auth/domain/send_limit.h"

#include <gtest/gtest.h>

namespace countersign::auth {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

TEST(SendLimit, GrowsFromThirtySecondsToHalfAnHourAndStaysThere) {
  const SendLimit limit;
  const std::vector<seconds> expected = {seconds(30), minutes(1),  minutes(2), minutes(5),
                                         minutes(15), minutes(30), minutes(30)};
  for (int n = 1; n <= 7; ++n)
    EXPECT_EQ(CooldownAfter(limit, n), expected[static_cast<std::size_t>(n - 1)]);
  EXPECT_EQ(CooldownSeconds(limit), (std::vector<std::int64_t>{30, 60, 120, 300, 900, 1800}));
}

TEST(SendLimit, IsSoundByDefaultAndSaysWhyItIsNot) {
  EXPECT_EQ(WhyUnsound({}), "");
  EXPECT_NE(WhyUnsound({.cooldowns = {}}), "");
  EXPECT_NE(WhyUnsound({.cooldowns = {seconds(60), seconds(30)}}), "");
  EXPECT_NE(WhyUnsound({.cooldowns = {seconds(0)}}), "");
  EXPECT_NE(WhyUnsound({.per_hour = 0}), "");
  EXPECT_NE(WhyUnsound({.per_hour = 5, .per_day = 4}), "");
}

}  // namespace
}  // namespace countersign::auth
