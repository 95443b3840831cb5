#include "services/otp/domain/unfinished_offsets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace countersign::otp {
namespace {

Instant At(int seconds) { return Instant{std::chrono::seconds(seconds)}; }

TEST(UnfinishedOffsets, FinishedInOrderMoveOneByOne) {
  UnfinishedOffsets offsets;
  ASSERT_TRUE(offsets.Begin(10, At(1)));
  ASSERT_TRUE(offsets.Begin(11, At(2)));
  EXPECT_EQ(offsets.Finish(10), 11);
  EXPECT_EQ(offsets.Finish(11), 12);
  EXPECT_EQ(offsets.unfinished(), 0U);
}

TEST(UnfinishedOffsets, NothingMovesPastTheLowestUnfinished) {
  UnfinishedOffsets offsets;
  for (int offset = 0; offset < 5; ++offset) ASSERT_TRUE(offsets.Begin(offset, At(offset)));
  EXPECT_EQ(offsets.Finish(1), std::nullopt);
  EXPECT_EQ(offsets.Finish(4), std::nullopt);
  EXPECT_EQ(offsets.OldestAppended(), At(0));
  EXPECT_EQ(offsets.Finish(0), 2);
  EXPECT_EQ(offsets.OldestAppended(), At(2));
  EXPECT_EQ(offsets.Finish(3), std::nullopt);
  EXPECT_EQ(offsets.Finish(2), 5);
  EXPECT_EQ(offsets.OldestAppended(), std::nullopt);
}

TEST(UnfinishedOffsets, GapsAreSteppedOver) {
  UnfinishedOffsets offsets;
  ASSERT_TRUE(offsets.Begin(3, At(1)));
  ASSERT_TRUE(offsets.Begin(90, At(2)));
  EXPECT_EQ(offsets.Finish(3), 4);
  EXPECT_EQ(offsets.Finish(90), 91);
}

TEST(UnfinishedOffsets, WhatNeverBeganOrIsFinishedMovesNothing) {
  UnfinishedOffsets offsets;
  EXPECT_EQ(offsets.Finish(7), std::nullopt);
  ASSERT_TRUE(offsets.Begin(7, At(1)));
  ASSERT_TRUE(offsets.Begin(8, At(1)));
  EXPECT_EQ(offsets.Finish(8), std::nullopt);
  EXPECT_EQ(offsets.Finish(8), std::nullopt);
  EXPECT_EQ(offsets.unfinished(), 1U);
  EXPECT_EQ(offsets.Finish(7), 9);
  EXPECT_EQ(offsets.Finish(7), std::nullopt);
}

TEST(UnfinishedOffsets, AnOffsetThatWasReadBeforeIsRefused) {
  UnfinishedOffsets offsets;
  ASSERT_TRUE(offsets.Begin(7, At(1)));
  EXPECT_FALSE(offsets.Begin(7, At(1)));
  EXPECT_FALSE(offsets.Begin(6, At(1)));
  EXPECT_EQ(offsets.unfinished(), 1U);
}

// The promise itself, for any order of finishing.
TEST(UnfinishedOffsets, AfterAnyOrderTheStoredOffsetIsThatOfTheLowestUnfinished) {
  std::mt19937 chance(7);
  for (int round = 0; round < 200; ++round) {
    UnfinishedOffsets offsets;
    std::set<std::int64_t> open;
    for (int i = 0; i < 60; ++i) {
      ASSERT_TRUE(offsets.Begin(i, At(i)));
      open.insert(i);
    }
    std::vector<std::int64_t> order(open.begin(), open.end());
    std::shuffle(order.begin(), order.end(), chance);
    std::int64_t stored = 0;
    for (const auto offset : order) {
      open.erase(offset);
      if (const auto next = offsets.Finish(offset)) {
        EXPECT_GT(*next, stored);
        stored = *next;
      }
      EXPECT_EQ(stored, open.empty() ? 60 : *open.begin());
    }
  }
}

}  // namespace
}  // namespace countersign::otp
