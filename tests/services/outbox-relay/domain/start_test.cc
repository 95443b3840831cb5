#include "services/outbox-relay/domain/start.h"

#include <gtest/gtest.h>

namespace countersign::relay {
namespace {

Findings Healthy() {
  return {.system_id = "7",
          .timeline = 2,
          .flushed = Lsn{1000},
          .slot = SlotState::kUsable,
          .checkpoint = Checkpoint{.system_id = "7",
                                   .timeline = 2,
                                   .position = Lsn{900},
                                   .offsets = {},
                                   .settled = SettledPoint{.snapshot = "1:2:", .offsets = {}}}};
}

Start Decided(const Findings& found) {
  const auto start = DecideStart(found);
  EXPECT_TRUE(start) << start.error().why;
  return start.value_or(Start::kMakeSlot);
}

std::string Cause(const Findings& found) {
  const auto start = DecideStart(found);
  return start ? "none" : start.error().cause;
}

TEST(StartTest, ResumesWhereSlotAndCheckpointAreWell) {
  EXPECT_EQ(Decided(Healthy()), Start::kResume);
}

TEST(StartTest, ASlotWithoutCheckpointIsResumed) {
  auto found = Healthy();
  found.checkpoint.reset();
  EXPECT_EQ(Decided(found), Start::kResume);
}

TEST(StartTest, AFirstStartRelaysEverythingUnlessToldOtherwise) {
  auto found = Healthy();
  found.checkpoint.reset();
  found.slot = SlotState::kMissing;
  EXPECT_EQ(Decided(found), Start::kRebuild);
  found.first_start = FirstStart::kNow;
  EXPECT_EQ(Decided(found), Start::kMakeSlot);
}

TEST(StartTest, AMissingOrLostSlotIsRebuiltNeverBegunFromNow) {
  auto found = Healthy();
  found.first_start = FirstStart::kNow;
  for (const auto slot : {SlotState::kMissing, SlotState::kLost}) {
    found.slot = slot;
    EXPECT_EQ(Decided(found), Start::kRebuild);
  }
}

TEST(StartTest, WithoutASnapshotNothingIsRebuilt) {
  auto found = Healthy();
  found.checkpoint->settled.reset();
  found.slot = SlotState::kMissing;
  EXPECT_EQ(Cause(found), "checkpoint_refused");
  found.checkpoint.reset();
  found.slot = SlotState::kLost;
  EXPECT_EQ(Cause(found), "slot_lost");
}

TEST(StartTest, ARebuildThatDidNotEndIsBegunAgainThoughTheSlotLooksWell) {
  auto found = Healthy();
  found.checkpoint->rebuilding = true;
  EXPECT_EQ(Decided(found), Start::kRebuild);
  found.checkpoint->settled.reset();  // it was a first start
  EXPECT_EQ(Decided(found), Start::kRebuild);
}

TEST(StartTest, AnotherDatabaseIsRefused) {
  auto found = Healthy();
  found.system_id = "8";
  EXPECT_EQ(Cause(found), "checkpoint_refused");
}

TEST(StartTest, ADatabaseOlderThanTheCheckpointIsRefused) {
  auto found = Healthy();
  found.flushed = Lsn{899};
  EXPECT_EQ(Cause(found), "checkpoint_refused");
  found.slot = SlotState::kMissing;
  EXPECT_EQ(Cause(found), "checkpoint_refused");
}

TEST(StartTest, ANewPrimaryThatHasEverythingUpToTheCheckpointIsRebuilt) {
  auto found = Healthy();
  found.timeline = 3;
  found.timeline_ended = Lsn{900};
  found.slot = SlotState::kMissing;
  EXPECT_EQ(Decided(found), Start::kRebuild);
  found.slot = SlotState::kUsable;  // PostgreSQL 17 takes slots along
  EXPECT_EQ(Decided(found), Start::kResume);
}

// Its transactions have numbers that meant others in the history that Kafka knows.
TEST(StartTest, ANewPrimaryThatLacksWhatKafkaHasIsRefused) {
  auto found = Healthy();
  found.timeline = 3;
  found.timeline_ended = Lsn{899};
  EXPECT_EQ(Cause(found), "checkpoint_refused");
  found.timeline_ended.reset();
  EXPECT_EQ(Cause(found), "checkpoint_refused");
}

Findings OfTables() {
  auto found = Healthy();
  found.source = Source::kTable;
  found.slot = SlotState::kMissing;
  found.next_transaction = 2;
  return found;
}

TEST(StartTest, TheTableSourceGoesOnFromTheSnapshot) {
  auto found = OfTables();
  EXPECT_EQ(Decided(found), Start::kRebuild);
  found.checkpoint->rebuilding = true;
  EXPECT_EQ(Decided(found), Start::kRebuild);
  found.checkpoint.reset();
  EXPECT_EQ(Decided(found), Start::kRebuild);
  found.first_start = FirstStart::kNow;
  EXPECT_EQ(Decided(found), Start::kMakeSlot);
}

TEST(StartTest, ASnapshotAheadOfTheServerIsRefused) {
  auto found = OfTables();
  found.next_transaction = 1;
  EXPECT_EQ(Cause(found), "checkpoint_refused");
}

// Where the other timeline ended only a replication connection tells.
TEST(StartTest, TheTableSourceDoesNotFollowAPromotion) {
  auto found = OfTables();
  found.timeline = 3;
  found.timeline_ended = Lsn{950};
  EXPECT_EQ(Cause(found), "checkpoint_refused");
  found.source = Source::kWal;
  EXPECT_EQ(Decided(found), Start::kRebuild);
}

}  // namespace
}  // namespace countersign::relay
