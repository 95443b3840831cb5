#include "services/outbox-relay/domain/refusals.h"

#include <gtest/gtest.h>

namespace countersign::relay {
namespace {

TEST(RefusalsTest, SendsEverythingAsLongAsNothingWasRefused) {
  Refusals refusals;
  EXPECT_TRUE(refusals.MayGo("a", 100));
  EXPECT_FALSE(refusals.Find("topic", "a"));
}

TEST(RefusalsTest, FindsTheCulpritBesideAnInnocentSuspect) {
  Refusals refusals;
  // One request with b and c; c is to blame, and b is named.
  refusals.Suspect("b", {.why = "invalid record"}, 2);
  EXPECT_FALSE(refusals.Find("topic", "b")) << "it was not alone";
  refusals.BeginAgain();
  EXPECT_TRUE(refusals.MayGo("a", 5)) << "what comes before the suspect was not in the request";
  EXPECT_FALSE(refusals.MayGo("b", 1));
  EXPECT_TRUE(refusals.MayGo("b", 0));
  EXPECT_FALSE(refusals.MayGo("c", 1)) << "b is on its way";
  EXPECT_TRUE(refusals.MayGo("c", 0));
  refusals.Suspect("c", {.why = "invalid record"}, 1);
  const auto refusal = refusals.Find("topic", "c");
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->why, "invalid record");
  EXPECT_FALSE(refusal->whole_topic);
  EXPECT_FALSE(refusals.Find("topic", "b"));
  refusals.Forget("b");
  EXPECT_TRUE(refusals.Find("topic", "c")) << "another event was forgotten";
  refusals.Forget("c");
  EXPECT_FALSE(refusals.Find("topic", "c"));
  EXPECT_TRUE(refusals.MayGo("d", 100));
}

TEST(RefusalsTest, SendsNoMoreAloneThanMayHaveBeenInTheRequest) {
  Refusals refusals;
  refusals.Suspect("a", {.why = "invalid record"}, 2);
  refusals.BeginAgain();
  EXPECT_TRUE(refusals.MayGo("a", 0));
  EXPECT_TRUE(refusals.MayGo("b", 0));
  EXPECT_FALSE(refusals.MayGo("c", 1)) << "b may be refused yet";
  EXPECT_TRUE(refusals.MayGo("c", 0));
  EXPECT_TRUE(refusals.MayGo("d", 100)) << "the cluster took them after all";
}

TEST(RefusalsTest, WhatWasAloneInAnEarlierSessionIsNotAloneInTheNext) {
  Refusals refusals;
  refusals.Suspect("a", {.why = "invalid record"}, 3);
  EXPECT_TRUE(refusals.MayGo("a", 0));
  refusals.BeginAgain();
  EXPECT_TRUE(refusals.MayGo("before", 7)) << "the suspect comes later again";
  refusals.Suspect("a", {.why = "invalid record"}, 3);
  EXPECT_FALSE(refusals.Find("topic", "a"));
}

TEST(RefusalsTest, ATopicIsRefusedUntilItIsTriedAgain) {
  Refusals refusals;
  refusals.RefuseTopic("gone", "the topic does not exist");
  refusals.RefuseTopic("gone", "something else");
  const auto refusal = refusals.Find("gone", "any");
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->why, "the topic does not exist");
  EXPECT_FALSE(refusals.Find("other", "any"));
  refusals.TryAgain("gone");
  refusals.TryAgain("never refused");
  EXPECT_FALSE(refusals.Find("gone", "any"));
}

}  // namespace
}  // namespace countersign::relay
