#include "libs/core/traceparent.h"

#include <gtest/gtest.h>

namespace countersign {
namespace {

constexpr std::string_view kGood = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(Traceparent, ReadsAndWritesTheStandardsExample) {
  const auto trace = ParseTraceparent(kGood);
  ASSERT_TRUE(trace);
  EXPECT_EQ(ToString(*trace), kGood);
  EXPECT_EQ(TraceIdText(*trace), "4bf92f3577b34da6a3ce929d0e0e4736");
}

TEST(Traceparent, RefusesWhatTheStandardRefuses) {
  for (const std::string_view bad : {
           "",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
       }) {
    EXPECT_FALSE(ParseTraceparent(bad)) << bad;
  }
}

TEST(Traceparent, ReadsALaterVersionByTheRulesOfThisOne) {
  const auto trace =
      ParseTraceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-later");
  ASSERT_TRUE(trace);
  EXPECT_EQ(ToString(*trace), kGood);
}

TEST(Traceparent, AChildKeepsTheTraceAndHasItsOwnSpan) {
  SystemRandom random;
  const auto parent = ParseTraceparent(kGood);
  const Traceparent child = ChildOf(*parent, random);
  EXPECT_EQ(child.trace_id, parent->trace_id);
  EXPECT_NE(child.span_id, parent->span_id);
  EXPECT_EQ(child.flags, parent->flags);
}

TEST(Traceparent, ANewTraceIsValid) {
  SystemRandom random;
  const Traceparent trace = NewTrace(random);
  EXPECT_EQ(ParseTraceparent(ToString(trace)), trace);
}

}  // namespace
}  // namespace countersign
