#include "libs/core/clock.h"

#include <gtest/gtest.h>

namespace countersign {
namespace {

TEST(Clock, PrintsUtcWithMicroseconds) {
  const Instant instant{std::chrono::microseconds{1'767'323'045'000'006}};
  EXPECT_EQ(ToRfc3339(instant), "2026-01-02T03:04:05.000006Z");
}

TEST(Clock, PrintsInstantsBeforeTheEpoch) {
  EXPECT_EQ(ToRfc3339(Instant{std::chrono::microseconds{-1}}), "1969-12-31T23:59:59.999999Z");
}

}  // namespace
}  // namespace countersign
