#include "services/outbox-relay/domain/settling.h"

#include <gtest/gtest.h>

namespace countersign::relay {
namespace {

const Offsets kThen = {{"topic", {3}}};

// All transactions of these tests are later ones.
void Begin(Settling& settling) {
  settling.News();
  settling.Asked({});
  settling.Taken(TakenSnapshot{.snapshot = "1:1:", .written = Lsn{1}});
  EXPECT_TRUE(settling.Confirm(Lsn{1}));
}

TEST(SettlingTest, ASnapshotIsSettledWhenKafkaHasWhatWasWrittenBeforeIt) {
  Settling settling;
  EXPECT_FALSE(settling.WantsSnapshot());
  settling.News();
  ASSERT_TRUE(settling.WantsSnapshot());
  settling.Asked(kThen);
  EXPECT_FALSE(settling.WantsSnapshot()) << "one at a time";
  settling.Taken(TakenSnapshot{.snapshot = "20:20:", .written = Lsn{100}});
  EXPECT_FALSE(settling.Confirm(Lsn{99}));
  EXPECT_FALSE(settling.point());
  ASSERT_TRUE(settling.Confirm(Lsn{100}));
  EXPECT_EQ(settling.point()->snapshot, "20:20:");
  EXPECT_EQ(settling.point()->offsets, kThen);
  EXPECT_FALSE(settling.Confirm(Lsn{200})) << "nothing new";
}

TEST(SettlingTest, WhatComesAfterTheQuestionAsksForAnother) {
  Settling settling;
  settling.News();
  settling.Asked(kThen);
  settling.News();
  settling.Taken(TakenSnapshot{.snapshot = "10:20:", .written = Lsn{100}});
  EXPECT_FALSE(settling.WantsSnapshot());
  ASSERT_TRUE(settling.Confirm(Lsn{100}));
  EXPECT_TRUE(settling.WantsSnapshot());
}

TEST(SettlingTest, ADatabaseThatDoesNotAnswerIsAskedAgain) {
  Settling settling(SettledPoint{.snapshot = "1:2:", .offsets = {}});
  settling.News();
  settling.Asked(kThen);
  settling.Taken(std::nullopt);
  EXPECT_TRUE(settling.WantsSnapshot());
  EXPECT_FALSE(settling.Confirm(Lsn{1000}));
  EXPECT_EQ(settling.point()->snapshot, "1:2:") << "the old one is still true";
}

TEST(SettlingTest, AnAnswerThatNobodyAskedForIsNoNews) {
  Settling settling;
  settling.Taken(TakenSnapshot{.snapshot = "10:20:", .written = Lsn{1}});
  EXPECT_FALSE(settling.Confirm(Lsn{1000}));
}

// It waits for a synchronous standby: streamed already, but other sessions do not see it yet.
TEST(SettlingTest, ATransactionThatWasReadButIsNotVisibleSpoilsTheSnapshot) {
  Settling settling;
  Begin(settling);
  settling.Read(12);
  settling.News();
  settling.Asked(kThen);
  settling.Taken(TakenSnapshot{.snapshot = "10:20:10,12,15", .written = Lsn{100}});
  EXPECT_FALSE(settling.Confirm(Lsn{100}));
  ASSERT_TRUE(settling.WantsSnapshot());
  settling.Asked(kThen);
  settling.Taken(TakenSnapshot{.snapshot = "10:20:10,15", .written = Lsn{100}});
  EXPECT_TRUE(settling.Confirm(Lsn{100}));
}

// An earlier relay may have read it, and our offsets lie behind it.
TEST(SettlingTest, ATransactionThatIsOlderThanTheRelaySpoilsTheSnapshot) {
  Settling settling;
  settling.News();
  for (const auto* snapshot : {"10:20:10", "10:30:10,25"}) {
    settling.Asked(kThen);
    settling.Taken(TakenSnapshot{.snapshot = snapshot, .written = Lsn{100}});
    EXPECT_TRUE(settling.WantsSnapshot());
  }
  settling.Asked(kThen);
  settling.Taken(TakenSnapshot{.snapshot = "25:30:25", .written = Lsn{100}});
  EXPECT_TRUE(settling.Confirm(Lsn{100}));
}

// The stream tells 32 of a transaction's 64 bits.
TEST(SettlingTest, KnowsATransactionOfALaterEpoch) {
  Settling settling;
  Begin(settling);
  settling.Read(7);
  settling.News();
  settling.Asked(kThen);
  settling.Taken(TakenSnapshot{.snapshot = "4294967300:4294967400:4294967303", .written = Lsn{1}});
  EXPECT_TRUE(settling.WantsSnapshot());
}

TEST(SettlingTest, RemembersTheNewestTransactions) {
  Settling settling;
  Begin(settling);
  for (std::uint32_t xid = 1; xid <= 20'000; ++xid) settling.Read(xid);
  settling.News();
  settling.Asked(kThen);
  settling.Taken(TakenSnapshot{.snapshot = "4000:30000:4000", .written = Lsn{1}});
  EXPECT_TRUE(settling.WantsSnapshot());
}

}  // namespace
}  // namespace countersign::relay
