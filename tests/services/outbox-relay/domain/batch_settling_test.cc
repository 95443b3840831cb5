#include "services/outbox-relay/domain/batch_settling.h"

#include <gtest/gtest.h>

#include "services/outbox-relay/domain/progress.h"

namespace countersign::relay {
namespace {

constexpr Uuid kSeen{{1}};

Offsets At(std::int64_t offset) { return {{"topic", {offset}}}; }

TakenSnapshot Taken(const std::string& snapshot, std::uint64_t written) {
  return {.snapshot = snapshot, .written = Lsn{written}};
}

TEST(BatchSettlingTest, ABatchIsSettledWhenAllOfItIsAcknowledged) {
  BatchSettling settling({});
  settling.Flushed(Lsn{100});
  settling.Read(Taken("5:5:", 100), At(3), 2);
  EXPECT_TRUE(settling.Waits());
  EXPECT_FALSE(settling.Confirm(1));
  EXPECT_FALSE(settling.point());
  ASSERT_TRUE(settling.Confirm(2));
  EXPECT_EQ(settling.point()->snapshot, "5:5:");
  EXPECT_EQ(settling.point()->offsets, At(3));
  EXPECT_FALSE(settling.Waits());
  EXPECT_FALSE(settling.Confirm(3)) << "nothing new";
}

// A crash would give its transactions' numbers to others.
TEST(BatchSettlingTest, ASnapshotThatACrashCouldUndoIsNotSettled) {
  BatchSettling settling({});
  settling.Flushed(Lsn{100});
  settling.Read(Taken("5:5:", 101), At(3), 1);
  EXPECT_FALSE(settling.Confirm(1));
  settling.Flushed(Lsn{101});
  EXPECT_TRUE(settling.Confirm(1));
}

TEST(BatchSettlingTest, TheHeaderOfAPageIsNoTransaction) {
  BatchSettling settling({});
  settling.Flushed(Lsn{8192});
  settling.Read(Taken("5:5:", 8192 + 24), At(3), 1);
  EXPECT_TRUE(settling.Confirm(1));
  settling.Read(Taken("6:6:", 8192 + 48), At(3), 1);
  EXPECT_FALSE(settling.Confirm(1));
}

TEST(BatchSettlingTest, OfTheBatchesThatFollowTheNewestIsSettledNext) {
  BatchSettling settling(SettledPoint{.snapshot = "4:4:", .offsets = At(1)});
  settling.Flushed(Lsn{100});
  settling.Read(Taken("5:5:", 1), At(2), 1);
  settling.Read(Taken("6:6:", 1), At(3), 2);
  settling.Read(Taken("7:7:", 1), At(4), 3);
  EXPECT_EQ(settling.point()->snapshot, "4:4:");
  ASSERT_TRUE(settling.Confirm(2));
  EXPECT_EQ(settling.point()->snapshot, "5:5:");
  EXPECT_TRUE(settling.Waits());
  ASSERT_TRUE(settling.Confirm(3));
  EXPECT_EQ(settling.point()->snapshot, "7:7:");
  EXPECT_EQ(settling.point()->offsets, At(4));
}

Progress FromTables(Resumption resumption) {
  Progress progress(Promise::kDeduplicated);
  resumption.batches = true;
  progress.Resume(std::move(resumption));
  return progress;
}

Resumption Compared() {
  Resumption resumption{.from = Lsn{5},
                        .offsets = At(3),
                        .settled = SettledPoint{.snapshot = "4:4:", .offsets = At(3)},
                        .seen_until = Lsn{UINT64_MAX}};
  resumption.seen.Add(kSeen);
  return resumption;
}

void EndBatch(Progress& progress, const std::string& snapshot, std::uint64_t flushed) {
  progress.EndBatch({.taken = Taken(snapshot, flushed), .flushed = Lsn{flushed}});
}

// One event, acknowledged at that offset after the batch's end.
void Bring(Progress& progress, const std::string& snapshot, std::uint64_t flushed,
           std::int64_t offset) {
  progress.Begin({}, 0);
  const auto token = progress.AddEvent();
  EndBatch(progress, snapshot, flushed);
  (void)progress.Acknowledge(token, "topic", 0, offset);
}

TEST(BatchProgressTest, ACheckpointSaysWhatWasReadAndIsAcknowledged) {
  auto progress = FromTables({});
  EXPECT_FALSE(progress.WantsSnapshot());
  EXPECT_TRUE(progress.Covered());
  Bring(progress, "6:6:", 20, 3);
  EXPECT_FALSE(progress.Covered());
  EXPECT_TRUE(progress.CheckpointWorthAsking());
  Bring(progress, "7:7:", 30, 4);
  auto due = progress.DueCheckpoint();
  ASSERT_TRUE(due);
  EXPECT_EQ(due->settled->snapshot, "7:7:");
  EXPECT_EQ(due->settled->offsets, At(4)) << "where Kafka stood before anything else was sent";
  EXPECT_EQ(due->position, Lsn{30});
  progress.CheckpointQueued();
  EXPECT_FALSE(progress.DueCheckpoint()) << "one is on its way";
  progress.CheckpointWritten();
  EXPECT_TRUE(progress.Covered());
  EndBatch(progress, "9:9:", 40);
  due = progress.DueCheckpoint();
  ASSERT_TRUE(due);
  EXPECT_EQ(due->settled->offsets, At(5)) << "all of that was acknowledged meanwhile";
  progress.CheckpointQueued();
  progress.CheckpointWritten();
  EndBatch(progress, "10:10:", 50);
  EXPECT_FALSE(progress.DueCheckpoint()) << "nothing came of it";
  EXPECT_TRUE(progress.Covered());
  EXPECT_EQ(progress.acknowledgements().Confirmed(), Lsn{50});
}

TEST(BatchProgressTest, WhatIsNotAcknowledgedIsNotSettled) {
  auto progress = FromTables({});
  progress.Begin({}, 0);
  const auto token = progress.AddEvent();
  EndBatch(progress, "6:6:", 20);
  EXPECT_FALSE(progress.DueCheckpoint());
  EndBatch(progress, "9:9:", 40);
  EXPECT_FALSE(progress.DueCheckpoint());
  EXPECT_FALSE(progress.Covered());
  (void)progress.Acknowledge(token, "topic", 0, 7);
  ASSERT_TRUE(progress.DueCheckpoint());
}

TEST(BatchProgressTest, WhatKafkaHasIsComparedUntilNothingOlderRuns) {
  auto progress = FromTables(Compared());
  EXPECT_TRUE(progress.IsInKafka(kSeen));
  EndBatch(progress, "6:9:6", 20);
  EXPECT_TRUE(progress.Deduplicating()) << "transaction 6 may be what Kafka has";
  Bring(progress, "6:19:6", 25, 8);
  Bring(progress, "6:20:6", 30, 9);
  EXPECT_TRUE(progress.Deduplicating());
  const auto due = progress.DueCheckpoint();
  ASSERT_TRUE(due);
  EXPECT_EQ(due->settled->snapshot, "6:20:6");
  EXPECT_EQ(due->settled->offsets, At(3)) << "what Kafka has of transaction 6 lies behind them";
  progress.CheckpointQueued();
  progress.CheckpointWritten();
  EndBatch(progress, "9:20:12", 40);
  EXPECT_FALSE(progress.Deduplicating());
  EXPECT_FALSE(progress.IsInKafka(kSeen));
  ASSERT_TRUE(progress.DueCheckpoint());
  EXPECT_EQ(progress.DueCheckpoint()->settled->offsets, At(10));
}

}  // namespace
}  // namespace countersign::relay
