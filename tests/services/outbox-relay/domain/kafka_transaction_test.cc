#include "services/outbox-relay/domain/kafka_transaction.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

#include "tests/services/outbox-relay/domain/transaction_world.h"

namespace countersign::relay {
namespace {

using namespace std::chrono_literals;

constexpr KafkaTransaction::Time kNow{100h};

TEST(KafkaTransactionTest, EndsWhenNothingIsInFlightOrAfterItsTime) {
  KafkaTransaction transaction(60s);
  EXPECT_FALSE(transaction.MustEnd(kNow, 0)) << "none is open";
  EXPECT_EQ(transaction.Due(), KafkaTransaction::Time::max());
  transaction.Begin(kNow);
  EXPECT_FALSE(transaction.MustEnd(kNow + 19ms, 1));
  EXPECT_TRUE(transaction.MustEnd(kNow, 0));
  EXPECT_TRUE(transaction.MustEnd(kNow + 20ms, 1));
  EXPECT_EQ(transaction.Due(), kNow + 20ms);
  EXPECT_FALSE(transaction.Overdue(kNow + 59s));
  EXPECT_TRUE(transaction.Overdue(kNow + 60s));
  EXPECT_TRUE(transaction.Committed(kNow).empty());
  EXPECT_FALSE(transaction.Overdue(kNow + 60s));
}

TEST(KafkaTransactionTest, TellsWhatBecameVisibleWhenItIsCommittedAndNothingWhenItIsLost) {
  KafkaTransaction transaction(60s);
  transaction.Begin(kNow);
  transaction.Delivery("a", Instant{1s}, 10);
  transaction.Delivery("b", Instant{1s}, 7);
  transaction.Delivery("a", Instant{1s}, 5);
  transaction.Delivery("a", Instant{2s}, 1);
  const auto visible = transaction.Committed(kNow);
  ASSERT_EQ(visible.size(), 3U);
  EXPECT_EQ(visible[0].topic, "a");
  EXPECT_EQ(visible[0].events, 2U);
  EXPECT_EQ(visible[0].bytes, 15U);
  EXPECT_EQ(visible[2].committed, Instant{2s});
  transaction.Begin(kNow);
  transaction.Delivery("a", Instant{3s}, 1);
  transaction.Lost();
  EXPECT_FALSE(transaction.open());
  transaction.Begin(kNow);
  EXPECT_TRUE(transaction.Committed(kNow).empty());
}

TEST(KafkaTransactionTest, WhatCameBeforeAnObstacleIsCommittedByItself) {
  KafkaTransaction transaction(60s);
  transaction.Begin(kNow);
  EXPECT_FALSE(transaction.HasWhole());
  transaction.Read(Lsn{10});
  EXPECT_TRUE(transaction.HasWhole());
  transaction.SeparateWhatWasRead();
  transaction.Lost();
  EXPECT_FALSE(transaction.HasWhole());
  transaction.Begin(kNow);
  transaction.Read(Lsn{5});
  EXPECT_TRUE(transaction.MustEnd(kNow, 1));
  transaction.Read(Lsn{15});
  EXPECT_FALSE(transaction.MustEnd(kNow, 1)) << "that one is new";
}

TEST(KafkaTransactionTest, IsDueAfterALongSilence) {
  KafkaTransaction transaction(60s);
  transaction.Fenced(kNow);
  EXPECT_FALSE(transaction.SilentForLong(kNow + 59min));
  EXPECT_TRUE(transaction.SilentForLong(kNow + 1h));
  transaction.Begin(kNow + 1h);
  (void)transaction.Committed(kNow + 1h);
  EXPECT_FALSE(transaction.SilentForLong(kNow + 119min));
}

// COUNTERSIGN_SEED repeats a run.
std::uint64_t Seed() {
  const char* given = std::getenv("COUNTERSIGN_SEED");
  const std::uint64_t seed =
      given == nullptr ? std::random_device()() : std::stoull(given, nullptr, 16);
  std::cout << "seed " << std::hex << seed << std::dec << " (COUNTERSIGN_SEED repeats it)\n";
  return seed;
}

constexpr int kSteps = 120;

TEST(TransactionWorldTest, ShowsEverythingOnceAndInOrderInAnyScheduleOfCrashes) {
  constexpr std::uint64_t kSchedules = 100'000;
  const std::uint64_t seed = Seed();
  long crashes = 0;
  long commits = 0;
  std::size_t left_out = 0;
  for (std::uint64_t i = 0; i < kSchedules; ++i) {
    TransactionWorld world(seed + i, TransactionMutant::kNone);
    for (int step = 0; step < kSteps; ++step) world.Step();
    world.Settle();
    ASSERT_TRUE(world.Faultless()) << "seed " << std::hex << seed + i;
    crashes += world.Crashes();
    commits += world.Commits();
    left_out += world.LeftOut();
  }
  // The schedules reach what they are for.
  EXPECT_GT(crashes, 100'000);
  EXPECT_GT(commits, 100'000);
  EXPECT_GT(left_out, 10'000U);
}

class TransactionMutants : public testing::TestWithParam<TransactionMutant> {};

TEST_P(TransactionMutants, AreFoundWithinAHundredThousandSchedules) {
  const std::uint64_t seed = Seed();
  bool found = false;
  for (std::uint64_t i = 0; i < 100'000 && !found; ++i) {
    TransactionWorld world(seed + i, GetParam());
    for (int step = 0; step < kSteps; ++step) world.Step();
    world.Settle();
    found = !world.Faultless();
  }
  EXPECT_TRUE(found);
}

INSTANTIATE_TEST_SUITE_P(Each, TransactionMutants,
                         testing::Values(TransactionMutant::kCountsBeforeTheCommit,
                                         TransactionMutant::kForgetsTheCheckpoint,
                                         TransactionMutant::kChecksThePositionItConfirmed,
                                         TransactionMutant::kFencesNobody,
                                         TransactionMutant::kTakesEveryCheckpointForAtomic,
                                         TransactionMutant::kLeavesItAtomicInAnotherMode,
                                         TransactionMutant::kSplitsATransaction));

}  // namespace
}  // namespace countersign::relay
