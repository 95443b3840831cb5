// Events that cannot be relayed are held and named, and everything behind them waits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/services/outbox-relay/relaying.h"

namespace countersign::relay {
namespace {

using namespace std::chrono_literals;
using support::Eventually;
using support::Topic;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto kTraced =
    R"({"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})";
constexpr auto kTraceField = R"("trace_id":"4bf92f3577b34da6a3ce929d0e0e4736")";

class ObstaclesTest : public RelayTest {
 protected:
  void SetUp() override {
    RelayTest::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) Connect();
  }
  // Appends the event, then an innocent one to `topic`; waits until the first is held and named.
  void ExpectHeld(RunningRelay& relay, const Event& event, const Topic& topic,
                  const std::string& why) {
    const Lsn before = Now();
    Append(event);
    const auto id =
        Scalar<std::string>("SELECT event_id::text FROM auth.event_log ORDER BY id DESC LIMIT 1");
    Append({.topic = topic.name(), .payload = "\"behind\""});
    EXPECT_TRUE(Eventually([&] { return relay.Health().find(id) != std::string::npos; }))
        << relay.Log();
    EXPECT_THAT(relay.Health(), HasSubstr(why));
    EXPECT_THAT(relay.Log(), AllOf(HasSubstr(id), HasSubstr(why)));
    EXPECT_THAT(topic.Values(), testing::Not(testing::Contains("\"behind\"")));
    EXPECT_LE(Confirmed(), Now());
    EXPECT_LE(Confirmed().value, before.value + 1'000'000);
    EXPECT_LT(Confirmed(), Now()) << "confirmed past an event that is not in Kafka";
  }
};

TEST_F(ObstaclesTest, AnUnknownTopicIsNamedAndEverythingBehindItWaitsUntilItExists) {
  const Topic topic;
  const std::string missing = support::TopicName();
  const auto relay = Start();
  ExpectHeld(*relay, {.topic = missing}, topic, "the topic does not exist");
  support::Create(missing, 1);
  EXPECT_EQ(topic.AwaitRecords(1)[0].value, "\"behind\"");
  EXPECT_TRUE(Eventually([&] { return relay->Health().empty(); }));
  EXPECT_TRUE(Eventually([&] { return Confirmed() >= Now(); }));
  support::Delete(missing);
}

TEST_F(ObstaclesTest, AnEventThatIsTooLargeIsNamedAndHeld) {
  const Topic topic;
  const auto relay = Start();
  ExpectHeld(*relay, {.topic = topic.name(), .payload = "\"" + std::string(2'000'000, 'x') + "\""},
             topic, "larger than Kafka messages may be");
  EXPECT_LT(relay->Stop(), 8s);
}

TEST_F(ObstaclesTest, AnEventWithHeadersThatCannotBeSentIsNamedAndHeld) {
  const Topic topic;
  const auto relay = Start();
  ExpectHeld(*relay, {.topic = topic.name(), .headers = R"({"nested": {"a": 1}})"}, topic,
             "not a flat JSON object");
}

TEST_F(ObstaclesTest, AnEventThatPosesAsAnotherIsNamedAndHeld) {
  const Topic topic;
  const auto relay = Start();
  ExpectHeld(*relay, {.topic = topic.name(), .headers = R"({"ce_id": "forged"})"}, topic,
             "a name that is the relay's");
}

TEST_F(ObstaclesTest, WhatIsHeldSurvivesARestartOfTheRelay) {
  const Topic topic;
  const std::string missing = support::TopicName();
  {
    const auto relay = Start();
    ExpectHeld(*relay, {.topic = missing}, topic, "the topic does not exist");
  }
  const auto relay = Start();
  EXPECT_TRUE(Eventually([&] { return !relay->Health().empty(); }));
  support::Create(missing, 1);
  EXPECT_EQ(topic.AwaitRecords(1)[0].value, "\"behind\"");
  support::Delete(missing);
}

TEST_F(ObstaclesTest, AnEventThatIsHeldIsLoggedWithTheTraceOfItsRequest) {
  const Topic topic;
  const auto relay = Start();
  ExpectHeld(*relay, {.topic = support::TopicName(), .headers = kTraced}, topic,
             "the topic does not exist");
  EXPECT_THAT(relay->Log(), HasSubstr(kTraceField));
}

// The broker refuses what the client took: the producer begins again, nothing is skipped, and the
// order of first occurrences holds.
TEST_F(ObstaclesTest, AnEventTheBrokerRefusesIsSentAgainUntilItIsTaken) {
  const Topic topic(1, {{"max.message.bytes", "2000"}});
  const auto relay = Start();
  Append({.topic = topic.name(), .payload = "\"before\""});
  static_cast<void>(topic.AwaitRecords(1));
  const std::string large = "\"" + std::string(10'000, 'x') + "\"";
  Append({.topic = topic.name(), .payload = large, .headers = kTraced});
  Append({.topic = topic.name(), .payload = "\"behind\""});
  EXPECT_TRUE(Eventually([&] { return relay->Reconnects("kafka") >= 2; })) << relay->Log();
  EXPECT_THAT(relay->Health(), HasSubstr("Message size too large"));
  EXPECT_THAT(
      relay->Log(),
      HasSubstr(Scalar<std::string>("SELECT event_id::text FROM auth.event_log WHERE topic = '" +
                                    topic.name() + "' AND length(payload::text) > 9999")))
      << "the event is not named";
  EXPECT_THAT(relay->Log(), HasSubstr(kTraceField));
  EXPECT_LT(Confirmed(), Now());
  kafka::Admin(Cluster()).SetConfig(topic.name(), {{"max.message.bytes", "20000"}}, 10s);
  static_cast<void>(topic.AwaitRecords(3));
  std::vector<std::string> values;
  for (const auto& record : FirstOccurrences(topic.Read())) values.push_back(record.value);
  EXPECT_THAT(values, ElementsAre("\"before\"", large, "\"behind\""));
  EXPECT_TRUE(Eventually([&] { return relay->Health().empty(); }));
}

TEST_F(ObstaclesTest, KeepsItsConnectionWhileAnEventIsHeld) {
  const Topic topic;
  auto settings = MakeSettings();
  settings.takeover_after = 1500ms;
  const auto relay = Start(settings);
  const int sender = WalSender();
  ExpectHeld(*relay, {.topic = support::TopicName()}, topic, "the topic does not exist");
  const auto until = std::chrono::steady_clock::now() + 4s;
  while (std::chrono::steady_clock::now() < until) {
    ASSERT_EQ(WalSender(), sender) << relay->Log();
    std::this_thread::sleep_for(50ms);
  }
}

}  // namespace
}  // namespace countersign::relay
