#include <gtest/gtest.h>

#include "libs/config/keys.h"

namespace countersign::config {
namespace {

using std::chrono::milliseconds;

TEST(Duration, NeedsAUnit) {
  EXPECT_EQ(*ParseDuration("250ms"), milliseconds(250));
  EXPECT_EQ(*ParseDuration("30s"), milliseconds(30'000));
  EXPECT_EQ(*ParseDuration("5m"), milliseconds(300'000));
  EXPECT_EQ(*ParseDuration("2h"), milliseconds(7'200'000));
  EXPECT_EQ(*ParseDuration("7d"), milliseconds(604'800'000));
  EXPECT_EQ(*ParseDuration("0s"), milliseconds(0));
  for (const auto* bad : {"", "30", "s", "1.5s", "-1s", "1 s", "1S", "1ms2", "30sec",
                          "99999999999999999999s", "9223372036854775807d"}) {
    EXPECT_FALSE(ParseDuration(bad)) << bad;
  }
}

TEST(Duration, IsShownInItsLargestWholeUnit) {
  EXPECT_EQ(ToText(milliseconds(90'000)), "90s");
  EXPECT_EQ(ToText(milliseconds(120'000)), "2m");
  EXPECT_EQ(ToText(milliseconds(0)), "0ms");
}

TEST(Size, NeedsAUnit) {
  EXPECT_EQ(ParseSize("512B")->bytes, 512U);
  EXPECT_EQ(ParseSize("64KiB")->bytes, 65536U);
  EXPECT_EQ(ParseSize("16MiB")->bytes, 16U << 20U);
  for (const auto* bad : {"64", "64KB", "64kib", "-1B", "KiB"}) EXPECT_FALSE(ParseSize(bad)) << bad;
  EXPECT_EQ(ToText(Size{65536}), "64KiB");
}

}  // namespace
}  // namespace countersign::config
