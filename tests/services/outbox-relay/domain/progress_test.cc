#include "services/outbox-relay/domain/progress.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

#include "tests/services/outbox-relay/domain/relay_world.h"

namespace countersign::relay {
namespace {

constexpr Uuid kSeen{{1}};
constexpr Uuid kNew{{2}};

Progress Deduplicated(Resumption resumption) {
  Progress progress(Promise::kDeduplicated);
  progress.Resume(std::move(resumption));
  return progress;
}

// A transaction of one event, acknowledged at that offset.
void Bring(Progress& progress, std::uint64_t end, std::int64_t offset) {
  progress.Begin({}, 0);
  const auto token = progress.AddEvent();
  progress.Commit(Lsn{end});
  (void)progress.Acknowledge(token, "topic", 0, offset);
}

TEST(ProgressTest, AtLeastOnceWritesNoCheckpoints) {
  Progress progress(Promise::kAtLeastOnce);
  progress.Resume({.from = Lsn{5}});
  Bring(progress, 10, 0);
  EXPECT_EQ(progress.acknowledgements().Confirmed(), Lsn{10});
  EXPECT_FALSE(progress.CheckpointWorthAsking());
  EXPECT_FALSE(progress.DueCheckpoint());
}

TEST(ProgressTest, WritesACheckpointWhenSomethingNewIsAcknowledged) {
  auto progress = Deduplicated({.from = Lsn{5}});
  EXPECT_FALSE(progress.DueCheckpoint());
  Bring(progress, 10, 7);
  EXPECT_FALSE(progress.Covered());
  EXPECT_TRUE(progress.CheckpointWorthAsking());
  const auto due = progress.DueCheckpoint();
  ASSERT_TRUE(due);
  EXPECT_EQ(due->position, Lsn{10});
  EXPECT_EQ(due->offsets.at("topic"), std::vector<std::int64_t>{8});
  progress.CheckpointQueued();
  EXPECT_FALSE(progress.DueCheckpoint()) << "one is on its way";
  progress.CheckpointWritten();
  EXPECT_TRUE(progress.Covered());
  EXPECT_FALSE(progress.DueCheckpoint());
}

TEST(ProgressTest, ACheckpointSaysNothingOfWhatItsPositionDoesNotCover) {
  auto progress = Deduplicated({.from = Lsn{5}});
  progress.Begin({}, 0);
  const auto first = progress.AddEvent();
  progress.Commit(Lsn{10});
  progress.Begin({}, 0);
  const auto second = progress.AddEvent();
  progress.Commit(Lsn{20});
  (void)progress.Acknowledge(second, "topic", 1, 40);
  EXPECT_FALSE(progress.DueCheckpoint()) << "the acknowledged one is behind one that is not";
  EXPECT_FALSE(progress.CheckpointWorthAsking());
  (void)progress.Acknowledge(first, "topic", 0, 7);
  const auto due = progress.DueCheckpoint();
  ASSERT_TRUE(due);
  EXPECT_EQ(due->position, Lsn{20});
  EXPECT_EQ(due->offsets.at("topic"), (std::vector<std::int64_t>{kUnknownOffset, 41}))
      << "of the moment at which it was marked";
}

TEST(ProgressTest, AnUnknownOffsetKeepsTheOldOne) {
  auto progress = Deduplicated({.from = Lsn{5}, .offsets = {{"topic", {3}}}});
  Bring(progress, 10, -1);
  EXPECT_EQ(progress.DueCheckpoint()->offsets.at("topic"), std::vector<std::int64_t>{3});
}

TEST(ProgressTest, LeavesOutWhatKafkaHasUntilNoMoreOfItCanCome) {
  Resumption resumption{.from = Lsn{5}, .offsets = {{"topic", {3}}}, .seen_until = Lsn{20}};
  resumption.seen.Add(kSeen);
  auto progress = Deduplicated(std::move(resumption));
  EXPECT_TRUE(progress.IsInKafka(kSeen));
  EXPECT_FALSE(progress.IsInKafka(kNew));
  EXPECT_FALSE(progress.MustLookInto("topic"));
  EXPECT_TRUE(progress.MustLookInto("other"));
  SeenEvents others;
  others.Add(kNew);
  progress.LookedInto("other", std::move(others));
  EXPECT_FALSE(progress.MustLookInto("other"));
  EXPECT_TRUE(progress.IsInKafka(kNew));
  Bring(progress, 19, 4);
  EXPECT_TRUE(progress.Deduplicating());
  Bring(progress, 20, 5);
  EXPECT_FALSE(progress.Deduplicating());
  EXPECT_FALSE(progress.IsInKafka(kSeen));
  EXPECT_FALSE(progress.MustLookInto("third"));
}

TEST(ProgressTest, ANewSlotHasNothingToCompare) {
  const auto progress = Deduplicated({.from = Lsn{20}, .seen_until = Lsn{20}});
  EXPECT_FALSE(progress.MustLookInto("topic"));
}

TEST(ProgressTest, OffsetsStayBeforeWhatWasBroughtOtherwiseUntilTheStreamHasPassedIt) {
  auto progress = Deduplicated({.from = Lsn{5}, .offsets = {{"topic", {3}}}});
  progress.BringOtherwise();
  Bring(progress, 1, 9);
  SeenEvents brought;
  brought.Add(kSeen);
  progress.AlsoSeen(std::move(brought), Lsn{30});
  Bring(progress, 20, 10);
  const auto before = progress.DueCheckpoint();
  ASSERT_TRUE(before);
  EXPECT_EQ(before->position, Lsn{20});
  EXPECT_EQ(before->offsets.at("topic"), std::vector<std::int64_t>{3});
  EXPECT_TRUE(before->unordered);
  progress.CheckpointQueued();
  progress.CheckpointWritten();

  // So does the next relay.
  auto next = Deduplicated(
      {.from = Lsn{20}, .offsets = before->offsets, .seen_until = Lsn{40}, .unordered = true});
  Bring(next, 30, 12);
  EXPECT_EQ(next.DueCheckpoint()->offsets.at("topic"), std::vector<std::int64_t>{3});
  next.CheckpointQueued();
  next.CheckpointWritten();
  Bring(next, 40, 13);
  const auto after = next.DueCheckpoint();
  EXPECT_EQ(after->offsets.at("topic"), std::vector<std::int64_t>{14});
  EXPECT_FALSE(after->unordered);
}

Progress InTransactions(Resumption resumption) {
  Progress progress(Promise::kTransactional);
  progress.Resume(std::move(resumption));
  return progress;
}

TEST(ProgressTest, InTransactionsNothingIsConfirmedBeforeTheCommit) {
  auto progress = InTransactions({.from = Lsn{5}});
  Bring(progress, 10, 7);
  EXPECT_EQ(progress.acknowledgements().Confirmed(), Lsn{5});
  EXPECT_FALSE(progress.DueCheckpoint());
  const auto checkpoint = progress.CheckpointOfTransaction();
  EXPECT_EQ(checkpoint.position, Lsn{10});
  EXPECT_TRUE(checkpoint.atomic);
  EXPECT_EQ(checkpoint.offsets.at("topic"), std::vector<std::int64_t>{8});
  progress.TransactionEnded();
  EXPECT_EQ(progress.acknowledgements().Confirmed(), Lsn{10});
  EXPECT_TRUE(progress.Covered());
}

TEST(ProgressTest, ACheckpointIsNotAtomicWhileKafkaMayHaveWhatItDoesNotCover) {
  auto progress = InTransactions({.from = Lsn{5}, .seen_until = Lsn{20}});
  Bring(progress, 10, 7);
  EXPECT_FALSE(progress.CheckpointOfTransaction().atomic) << "an older relay left something";
  Bring(progress, 20, 8);
  EXPECT_TRUE(progress.CheckpointOfTransaction().atomic);
  progress.BringOtherwise();
  EXPECT_FALSE(progress.CheckpointOfTransaction().atomic) << "a parked key is being released";
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

TEST(ProgressTest, LosesDoublesAndReordersNothingInAnyScheduleOfCrashes) {
  constexpr std::uint64_t kSchedules = 100'000;
  const std::uint64_t seed = Seed();
  std::size_t left_out = 0;
  long crashes = 0;
  long rebuilds = 0;
  for (std::uint64_t i = 0; i < kSchedules; ++i) {
    RelayWorld world(seed + i, Mutant::kNone);
    for (int step = 0; step < kSteps; ++step) world.Step();
    world.Settle();
    ASSERT_TRUE(world.Faultless()) << "seed " << std::hex << seed + i;
    left_out += world.LeftOut();
    crashes += world.Crashes();
    rebuilds += world.Rebuilds();
  }
  // The schedules reach what they are for.
  EXPECT_GT(crashes, 100'000);
  EXPECT_GT(left_out, 100'000U);
  EXPECT_GT(rebuilds, 10'000);
}

class ProgressMutants : public testing::TestWithParam<Mutant> {};

TEST_P(ProgressMutants, AreFoundWithinAHundredThousandSchedules) {
  const std::uint64_t seed = Seed();
  bool found = false;
  for (std::uint64_t i = 0; i < 100'000 && !found; ++i) {
    RelayWorld world(seed + i, GetParam());
    for (int step = 0; step < kSteps; ++step) world.Step();
    world.Settle();
    found = !world.Faultless();
  }
  EXPECT_TRUE(found);
}

INSTANTIATE_TEST_SUITE_P(Each, ProgressMutants,
                         testing::Values(Mutant::kAcknowledgesWhenProduced,
                                         Mutant::kChecksThePositionItRead,
                                         Mutant::kResumesInsideATransaction,
                                         Mutant::kChecksTheOffsetsOfNow, Mutant::kForgetsTheTail,
                                         Mutant::kForgetsWhatItRead, Mutant::kTakesTheSnapshotFirst,
                                         Mutant::kForgetsThatItRebuilds, Mutant::kRebuildsFromNow));

}  // namespace
}  // namespace countersign::relay
