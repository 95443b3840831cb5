// Mistakes that comparable relays were seen to make. Each test names one and shows that it is not
// ours.
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
using testing::HasSubstr;

class MistakeNotMade : public RelayTest {
 protected:
  void SetUp() override {
    RelayTest::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) Connect();
  }
};

TEST_F(MistakeNotMade, TwoReplicasOfTheRelayBringEveryEventTwice) {
  const Topic topic;
  auto first = Start();
  RunningRelay second(MakeSettings());
  EXPECT_TRUE(Eventually([&] { return second.Log().find("standing by") != std::string::npos; }));
  AppendNumbers(topic.name(), 1, 200);
  static_cast<void>(topic.AwaitRecords(200));
  // What is confirmed is not read again by the one that takes over.
  EXPECT_TRUE(Eventually([&] { return Confirmed() >= Now(); }));
  EXPECT_EQ(first->Gauge("relay_in_flight"), 0);
  first->Stop();
  EXPECT_TRUE(Eventually([&] { return second.Health().empty(); }));
  AppendNumbers(topic.name(), 201, 400);
  static_cast<void>(topic.AwaitRecords(400));
  EXPECT_TRUE(Eventually([&] { return Confirmed() >= Now(); }));
  EXPECT_EQ(Numbers(topic.Read()), UpTo(400)) << "in order, each of them once";
}

TEST_F(MistakeNotMade, AHundredPoisonedEventsStopEverythingForEverWithoutAnAlarm) {
  const Topic topic;
  const std::string missing = support::TopicName();
  const auto relay = Start();
  AppendNumbers(missing, 1, 100);
  AppendNumbers(topic.name(), 1, 1);
  EXPECT_TRUE(Eventually([&] { return !relay->Health().empty(); })) << "no alarm";
  const auto first = Scalar<std::string>(
      "SELECT event_id::text FROM auth.event_log WHERE topic = '" + missing + "' AND seq = 1");
  EXPECT_THAT(relay->Health(), HasSubstr(first));
  EXPECT_THAT(relay->Log(), HasSubstr(first));
  EXPECT_TRUE(Eventually([&] { return relay->LagSeconds() > 1; })) << "no alarm";
  support::Create(missing, 1);
  EXPECT_EQ(topic.AwaitRecords(1).size(), 1U) << "for ever";
  EXPECT_TRUE(Eventually([&] { return relay->Health().empty(); }));
  EXPECT_TRUE(Eventually([&] { return Confirmed() >= Now(); }));
  support::Delete(missing);
}

}  // namespace
}  // namespace countersign::relay
