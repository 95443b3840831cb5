#include "services/outbox-relay/checkpoint_log.h"

#include <gtest/gtest.h>

#include <string>

#include "services/outbox-relay/tail.h"

namespace countersign::relay {
namespace {

TEST(CheckpointLogTest, ReadsWhatItWrites) {
  const Checkpoint written{
      .system_id = "7301234567890123456",
      .timeline = 3,
      .position = Lsn{0x16B374D848},
      .offsets = {{"auth.log", {5, kUnknownOffset, 70'000'000'000}}, {"empty", {}}},
      .settled = SettledPoint{.snapshot = "10:20:12,15", .offsets = {{"auth.log", {3}}}},
      .rebuilding = true,
      .atomic = true,
      .unordered = true};
  const auto read = ParseCheckpoint(ToJson(written));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->system_id, written.system_id);
  EXPECT_EQ(read->timeline, written.timeline);
  EXPECT_EQ(read->position, written.position);
  EXPECT_EQ(read->offsets, written.offsets);
  ASSERT_TRUE(read->settled);
  EXPECT_EQ(read->settled->snapshot, written.settled->snapshot);
  EXPECT_EQ(read->settled->offsets, written.settled->offsets);
  EXPECT_TRUE(read->rebuilding);
  EXPECT_TRUE(read->atomic);
  EXPECT_TRUE(read->unordered);
}

TEST(CheckpointLogTest, WithoutASettledPointItReadsNone) {
  const auto read =
      ParseCheckpoint(ToJson({.system_id = "1", .timeline = 1, .position = Lsn{1}, .offsets = {}}));
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->settled);
  EXPECT_FALSE(read->rebuilding);
  EXPECT_FALSE(read->atomic);
  EXPECT_FALSE(read->unordered);
}

TEST(CheckpointLogTest, RefusesEverythingElse) {
  const std::string good = ToJson({.system_id = "1", .timeline = 1, .position = Lsn{1}});
  ASSERT_TRUE(ParseCheckpoint(good));
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(ParseCheckpoint(good.substr(0, length))) << length;
  }
  auto newer = good;
  newer.replace(newer.find("\"form\":2"), 8, "\"form\":3");
  EXPECT_FALSE(ParseCheckpoint(newer));
  EXPECT_FALSE(ParseCheckpoint("[]"));
  EXPECT_FALSE(
      ParseCheckpoint(R"({"form":2,"system_id":"1","timeline":1,"position":"x","offsets":{}})"));
}

TEST(IdentityTest, IsTheUuidItselfOrADigestOfTheText) {
  const std::string uuid = "018f4e9a-0000-7000-8000-00000000002a";
  EXPECT_EQ(ToString(IdentityOf(uuid)), uuid);
  EXPECT_NE(IdentityOf("order-1"), IdentityOf("order-2"));
  EXPECT_EQ(IdentityOf("order-1"), IdentityOf("order-1"));
}

}  // namespace
}  // namespace countersign::relay
