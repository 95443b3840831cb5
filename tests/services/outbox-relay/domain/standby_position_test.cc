#include "services/outbox-relay/domain/standby_position.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace countersign::relay {
namespace {

TEST(StandbyPositionTest, NothingIsSafeBeforeAStandbyWasSeen) {
  StandbyPosition position;
  position.Looked(Lsn{100}, std::nullopt);
  EXPECT_EQ(position.safe(), Lsn{});
}

TEST(StandbyPositionTest, AStandbyThatHasEverythingIsSafeToTheEnd) {
  StandbyPosition position;
  position.Looked(Lsn{100}, Lsn{100});
  EXPECT_EQ(position.safe(), Lsn{100});
}

TEST(StandbyPositionTest, AnEndOfAnEarlierLookCountsOnceItIsReached) {
  StandbyPosition position;
  position.Looked(Lsn{100}, Lsn{90});
  EXPECT_EQ(position.safe(), Lsn{}) << "90 may be the middle of a record";
  position.Looked(Lsn{200}, Lsn{150});
  EXPECT_EQ(position.safe(), Lsn{100});
  position.Looked(Lsn{300}, Lsn{200});
  EXPECT_EQ(position.safe(), Lsn{200});
}

TEST(StandbyPositionTest, WhatWasSafeStaysSafe) {
  StandbyPosition position;
  position.Looked(Lsn{100}, Lsn{100});
  position.Looked(Lsn{200}, std::nullopt);
  EXPECT_EQ(position.safe(), Lsn{100});
}

// A log of records of any length, and a standby that gets it in pieces of any length.
TEST(StandbyPositionTest, ItIsAlwaysTheEndOfARecordThatTheStandbyHasWholeAndGetsToTheEnd) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto up_to = [&random](std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(0, most)(random);
  };
  for (int schedule = 0; schedule < 1'000; ++schedule) {
    StandbyPosition position;
    std::set<std::uint64_t> ends = {0};
    std::uint64_t flushed = 0;
    for (int look = 0; look < 100; ++look) {
      const std::uint64_t written = *ends.rbegin() + up_to(50);
      ends.insert(written);
      flushed += up_to(written - flushed);
      position.Looked(Lsn{written}, Lsn{flushed});
      ASSERT_LE(position.safe().value, flushed);
      ASSERT_TRUE(ends.contains(position.safe().value));
    }
    for (int look = 0; look < 2; ++look) position.Looked(Lsn{*ends.rbegin()}, Lsn{*ends.rbegin()});
    ASSERT_EQ(position.safe().value, *ends.rbegin());
  }
}

}  // namespace
}  // namespace countersign::relay
