// Where an event's time goes, as relay_stage_seconds tells it, and how much of it there was.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "tests/services/outbox-relay/relaying.h"

namespace countersign::relay {
namespace {

using namespace std::chrono_literals;
using support::Eventually;
using support::Topic;

class StagesTest : public RelayTest {
 protected:
  void SetUp() override {
    RelayTest::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) Connect();
  }
  [[nodiscard]] static double Stage(const RunningRelay& relay, const std::string& what,
                                    const std::string& stage) {
    return relay.Shown("relay_stage_seconds_" + what + "{stage=\"" + stage + "\"}").value_or(-1);
  }
  [[nodiscard]] static double OfTopic(const RunningRelay& relay, const std::string& name,
                                      const std::string& topic) {
    return relay.Shown(name + "{topic=\"" + topic + "\"}").value_or(0);
  }
  static void AwaitEvents(const RunningRelay& relay, const std::string& topic, double events) {
    ASSERT_TRUE(Eventually([&] {
      return OfTopic(relay, "relay_events_total", topic) == events &&
             relay.Shown("relay_commit_to_ack_seconds_count") == events;
    })) << OfTopic(relay, "relay_events_total", topic);
  }
  [[nodiscard]] static double SumOfStages(const RunningRelay& relay) {
    return Stage(relay, "sum", "read") + Stage(relay, "sum", "queue") +
           Stage(relay, "sum", "acknowledge");
  }
  static void ExpectEachOnce(const RunningRelay& relay, double events) {
    for (const std::string stage : {"read", "queue", "acknowledge"}) {
      EXPECT_EQ(Stage(relay, "count", stage), events) << stage;
    }
  }
};

TEST_F(StagesTest, EachEventIsOnceInEachStageAndTogetherTheyAreTheWholeWay) {
  const Topic topic;
  const auto relay = Start();
  AppendNumbers(topic.name(), 1, 10);
  Append({.topic = topic.name()});
  std::size_t bytes = 0;
  for (const auto& record : topic.AwaitRecords(11))
    bytes += record.key.size() + record.value.size();
  AwaitEvents(*relay, topic.name(), 11);
  ExpectEachOnce(*relay, 11);
  EXPECT_EQ(OfTopic(*relay, "relay_bytes_total", topic.name()), static_cast<double>(bytes));
  const double whole = relay->Shown("relay_commit_to_ack_seconds_sum").value_or(0);
  EXPECT_GT(Stage(*relay, "sum", "acknowledge"), 0);
  EXPECT_NEAR(SumOfStages(*relay), whole, 0.1);
}

TEST_F(StagesTest, InTransactionsTheWaitForTheirEndComesOnTop) {
  const Topic topic;
  auto settings = MakeSettings();
  settings.promise = Promise::kTransactional;
  const auto relay = Start(settings);
  AppendNumbers(topic.name(), 1, 10);
  std::size_t bytes = 0;
  for (const auto& record : topic.AwaitRecords(10))
    bytes += record.key.size() + record.value.size();
  AwaitEvents(*relay, topic.name(), 10);
  ExpectEachOnce(*relay, 10);
  EXPECT_EQ(OfTopic(*relay, "relay_bytes_total", topic.name()), static_cast<double>(bytes));
  EXPECT_LT(SumOfStages(*relay), relay->Shown("relay_commit_to_ack_seconds_sum").value_or(0));
}

TEST_F(StagesTest, WhatARelayDidNotReadWaitedToBeRead) {
  const Topic topic;
  const auto relay = Start();
  (void)relay->control().Pause();
  ASSERT_TRUE(Eventually([&] { return !relay->control().Look().standing.reading; }));
  AppendNumbers(topic.name(), 1, 1);
  const auto committed = std::chrono::steady_clock::now();
  ASSERT_TRUE(Eventually([&] { return std::chrono::steady_clock::now() - committed > 1500ms; }));
  (void)relay->control().Resume();
  AwaitEvents(*relay, topic.name(), 1);
  EXPECT_GE(Stage(*relay, "sum", "read"), 1.5);
  EXPECT_LT(Stage(*relay, "sum", "queue"), 0.5);
  EXPECT_LT(Stage(*relay, "sum", "acknowledge"), 1.5);
}

TEST_F(StagesTest, AHeldEventWaitedInTheQueue) {
  const Topic topic;
  const auto relay = Start();
  const std::string late = support::TopicName();
  Append({.topic = late});
  ASSERT_TRUE(Eventually([&] { return relay->LagSeconds() > 1.5; }));
  EXPECT_EQ(Stage(*relay, "count", "queue"), 0);
  support::Create(late, 1);
  AwaitEvents(*relay, late, 1);
  EXPECT_GE(Stage(*relay, "sum", "queue"), 1.0);
  EXPECT_LT(Stage(*relay, "sum", "read"), 1.0);
  support::Delete(late);
}

}  // namespace
}  // namespace countersign::relay
