// Relays with a database of their own, while Kafka is away.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>

#include "tests/services/outbox-relay/following.h"
#include "tests/support/distant_kafka.h"

namespace countersign::relay {
namespace {

using namespace std::chrono_literals;
using support::Eventually;
using support::Topic;

class TableOutageTest : public TableTest {
 protected:
  static void SetUpTestSuite() {
    if (!support::Brokers().empty() && !support::ServerConninfo().empty()) {
      distant_ = std::make_unique<support::DistantKafka>();
    }
  }
  static void TearDownTestSuite() { distant_.reset(); }
  [[nodiscard]] kafka::ClientSettings Cluster() const override { return distant_->Cluster(); }

  inline static std::unique_ptr<support::DistantKafka> distant_;
};

TEST_F(TableOutageTest, WhatIsCommittedWhileKafkaIsAwayArrivesInOrder) {
  constexpr int kEvents = 3'000;
  const Topic topic(1, {}, Cluster());
  auto settings = FromTables();
  settings.takeover_after = 1s;
  settings.kafka.queue_kbytes = 1'024;
  const auto relay = Follow(settings);
  AppendNumbers(topic.name(), 1, 1);
  static_cast<void>(topic.AwaitRecords(1));
  const int leader = Leader();
  distant_->network().Hang(true);
  for (int i = 2; i <= 100; ++i) AppendNumbers(topic.name(), i, i, 1'000);
  AppendNumbers(topic.name(), 101, kEvents, 1'000);
  ASSERT_TRUE(Eventually([&] { return relay->LagSeconds() > 3; }));
  EXPECT_GT(relay->Gauge("relay_in_flight"), 0);
  EXPECT_LT(relay->Gauge("relay_in_flight"), 1'100);
  EXPECT_EQ(Leader(), leader) << "cut off: " << relay->Log();
  distant_->network().Hang(false);
  static_cast<void>(topic.AwaitRecords(kEvents));
  AwaitSettled(true);
  EXPECT_EQ(Numbers(topic.Read()), UpTo(kEvents));
}

// The slot cannot be made before it is known whether there is a checkpoint, so what is written
// until then comes from the tables.
using FirstStartOutageTest = TableOutageTest;
TEST_F(FirstStartOutageTest, WithoutKafkaNothingEscapesThatIsWrittenMeanwhile) {
  const Topic topic(1, {}, Cluster());
  distant_->network().Refuse(true);
  AppendNumbers(topic.name(), 1, 20);
  RunningRelay relay(FromTheFirstEvent());
  EXPECT_TRUE(Eventually([&] {
    return relay.Health().find("no kafka broker answers") != std::string::npos;
  })) << relay.Health();
  AppendNumbers(topic.name(), 21, 40);
  distant_->network().Refuse(false);
  EXPECT_EQ(Numbers(topic.AwaitRecords(40)), UpTo(40));
  EXPECT_TRUE(Eventually([&] { return relay.Health().empty(); }));
}

}  // namespace
}  // namespace countersign::relay
