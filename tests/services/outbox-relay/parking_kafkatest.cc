// What Kafka refuses for good holds back its own key and nothing else, until somebody decides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "services/outbox-relay/tail.h"
#include "tests/services/outbox-relay/relaying.h"

namespace countersign::relay {
namespace {

using namespace std::chrono_literals;
using support::Eventually;
using support::Topic;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kTooLarge = "\"" + std::string(2'000'000, 'x') + "\"";

class ParkingTest : public RelayTest {
 protected:
  void SetUp() override {
    RelayTest::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) Connect();
  }
  void TearDown() override {
    if (db_) db_->Execute({"forget", "DELETE FROM relay.parked WHERE slot = $1"}, slot_);
    RelayTest::TearDown();
  }
  [[nodiscard]] RelaySettings Parks() const {
    auto settings = MakeSettings();
    settings.on_refusal = OnRefusal::kPark;
    settings.park_after = 500ms;
    return settings;
  }
  void Append(const std::string& topic, const std::string& key, const std::string& payload) {
    RelayTest::Append({.topic = topic, .key = key, .payload = payload});
  }
  // As countersignctl does.
  void Ask(const std::string& key, const std::string& wanted) {
    db_->Execute({"ask", "UPDATE relay.parked SET wanted = $3 WHERE slot = $1 AND key = $2"}, slot_,
                 key, wanted);
  }
  [[nodiscard]] long ParkedKeys() const {
    return Scalar<long>("SELECT count(*) FROM relay.parked WHERE slot = '" + slot_ + "'");
  }
  void AwaitParked(long keys) {
    EXPECT_TRUE(Eventually([&] { return ParkedKeys() == keys; })) << ParkedKeys();
  }
  void AwaitConfirmed() {
    const Lsn end = Now();
    EXPECT_TRUE(Eventually([&] { return Confirmed() >= end; }));
  }
  [[nodiscard]] std::vector<std::string> Actions() const {
    std::vector<std::string> actions;
    for (const auto row : db_->Execute(
             {"actions", "SELECT action FROM relay.parking_log WHERE slot = $1 ORDER BY id"},
             slot_)) {
      actions.push_back(row.Get<std::string>(0));
    }
    return actions;
  }
};

TEST_F(ParkingTest, AnEventThatIsTooLargeParksItsKeyAndTheStreamGoesOn) {
  const Topic topic(1);
  const auto relay = Start(Parks());
  Append(topic.name(), "a", "1");
  Append(topic.name(), "a", kTooLarge);
  Append(topic.name(), "a", "3");
  Append(topic.name(), "b", "4");
  AwaitConfirmed();
  EXPECT_THAT(topic.Values(), ElementsAre("1", "4"));
  EXPECT_EQ(relay->Gauge("relay_parked_keys"), 1);
  EXPECT_EQ(relay->Counter("relay_left_waiting_total"), 1);
  EXPECT_THAT(relay->Log(), HasSubstr("larger than Kafka messages may be"));
  EXPECT_EQ(relay->Health(), "");
  EXPECT_THAT(Actions(), ElementsAre("parked"));
}

TEST_F(ParkingTest, SkippingBringsTheRestOfTheKeyInOrderAndWhatComesLaterOnce) {
  const Topic topic(1);
  const auto relay = Start(Parks());
  Append(topic.name(), "a", kTooLarge);
  for (int i = 2; i <= 1'500; ++i) Append(topic.name(), "a", std::to_string(i));
  AwaitParked(1);
  AwaitConfirmed();
  Ask("a", "skip");
  AwaitParked(0);
  Append(topic.name(), "a", "1501");
  AwaitConfirmed();
  std::vector<std::string> expected;
  for (int i = 2; i <= 1'501; ++i) expected.push_back(std::to_string(i));
  EXPECT_EQ(topic.Values(), expected);
  EXPECT_THAT(Actions(), ElementsAre("parked", "skipped"));
  EXPECT_EQ(relay->Gauge("relay_parked_keys"), 0);
}

TEST_F(ParkingTest, AMissingTopicIsWaitedForThenItsKeysAreParkedUntilItExists) {
  const std::string missing = support::TopicName();
  const Topic topic(1);
  const auto relay = Start(Parks());
  Append(missing, "a", "1");
  Append(missing, "b", "2");
  Append(missing, "a", "3");
  Append(topic.name(), "a", "4");
  AwaitParked(2);
  EXPECT_EQ(topic.AwaitRecords(1)[0].value, "4");
  support::Create(missing, 1);
  Ask("a", "unpark");
  Ask("b", "unpark");
  AwaitParked(0);
  std::vector<std::string> values;
  TailReader reader(support::Cluster());
  static_cast<void>(
      reader.Read(missing, {}, [&](const auto& record) { values.emplace_back(record.value()); }));
  EXPECT_THAT(values, testing::UnorderedElementsAre("1", "2", "3"));
  EXPECT_LT(std::ranges::find(values, "1"), std::ranges::find(values, "3"));
  support::Delete(missing);
}

TEST_F(ParkingTest, ATopicThatIsMadeInTimeParksNothing) {
  const std::string late = support::TopicName();
  auto settings = Parks();
  settings.park_after = 20s;
  const auto relay = Start(settings);
  Append(late, "a", "1");
  EXPECT_TRUE(
      Eventually([&] { return relay->Health().find("does not exist") != std::string::npos; }));
  support::Create(late, 1);
  AwaitConfirmed();
  EXPECT_TRUE(Actions().empty());
  support::Delete(late);
}

// The broker refuses a whole request; only one event in it is to blame.
TEST_F(ParkingTest, OfARefusedRequestOnlyTheCulpritIsParked) {
  const Topic topic(1, {{"max.message.bytes", "3000"}});
  const auto relay = Start(Parks());
  db_->ExecuteScript("BEGIN");
  std::vector<std::string> expected;
  for (int i = 1; i <= 20; ++i) {
    const std::string key = "k" + std::to_string(i);
    const std::string value = i == 13 ? "\"" + std::string(10'000, 'x') + "\"" : std::to_string(i);
    Append(topic.name(), key, value);
    if (i != 13) expected.push_back(value);
  }
  db_->ExecuteScript("COMMIT");
  AwaitParked(1);
  AwaitConfirmed();
  std::vector<std::string> values;
  for (const auto& record : FirstOccurrences(topic.Read())) values.push_back(record.value);
  EXPECT_EQ(values, expected);
  EXPECT_EQ(Scalar<std::string>("SELECT key FROM relay.parked WHERE slot = '" + slot_ + "'"),
            "k13");
}

TEST_F(ParkingTest, OneLargeEventAmongMoreThanFitTheQueueParksOneKey) {
  const Topic topic(1);
  auto settings = Parks();
  settings.kafka.queue_messages = 10;
  const auto relay = Start(settings);
  db_->ExecuteScript("BEGIN");
  for (int i = 1; i <= 200; ++i) {
    Append(topic.name(), "k" + std::to_string(i), i % 50 == 0 ? kTooLarge : std::to_string(i));
  }
  db_->ExecuteScript("COMMIT");
  AwaitParked(4);
  AwaitConfirmed();
  EXPECT_EQ(topic.Values().size(), 196U);
}

TEST_F(ParkingTest, WhatIsRefusedAgainWhenItIsUnparkedStaysParked) {
  const Topic topic(1);
  const auto relay = Start(Parks());
  Append(topic.name(), "a", kTooLarge);
  Append(topic.name(), "a", "2");
  AwaitParked(1);
  Ask("a", "unpark");
  EXPECT_TRUE(Eventually([&] { return Actions().size() == 2; }));
  AwaitConfirmed();
  EXPECT_THAT(Actions(), ElementsAre("parked", "parked"));
  EXPECT_TRUE(topic.Values().empty());
  Append(topic.name(), "b", "3");
  EXPECT_EQ(topic.AwaitRecords(1)[0].value, "3");
}

// The release is cut short by another refusal, and begun again where nothing of it is doubled.
TEST_F(ParkingTest, ASecondCulpritOfAKeyIsParkedAndWhatCameBeforeItIsNotDoubled) {
  const Topic topic(1, {{"max.message.bytes", "3000"}});
  const std::string large = "\"" + std::string(10'000, 'x') + "\"";
  const auto relay = Start(Parks());
  Append(topic.name(), "a", large);
  std::vector<std::string> expected;
  for (int i = 2; i <= 30; ++i) {
    Append(topic.name(), "a", std::to_string(i));
    expected.push_back(std::to_string(i));
  }
  Append(topic.name(), "a", large);
  Append(topic.name(), "a", "32");
  AwaitParked(1);
  AwaitConfirmed();
  Ask("a", "skip");
  EXPECT_TRUE(Eventually([&] { return Actions().size() == 2; })) << relay->Log();
  AwaitConfirmed();
  EXPECT_EQ(topic.Values(), expected);
  EXPECT_THAT(Actions(), ElementsAre("parked", "parked"));
  Ask("a", "skip");
  AwaitParked(0);
  expected.emplace_back("32");
  EXPECT_EQ(topic.Values(), expected);
}

TEST_F(ParkingTest, ARestartedRelayKnowsWhatIsParked) {
  const Topic topic(1);
  {
    const auto relay = Start(Parks());
    Append(topic.name(), "a", kTooLarge);
    AwaitParked(1);
  }
  Append(topic.name(), "a", "2");
  Ask("a", "skip");
  const auto relay = Start(Parks());
  AwaitParked(0);
  EXPECT_THAT(topic.Values(), ElementsAre("2"));
  Append(topic.name(), "a", "3");
  AwaitConfirmed();
  EXPECT_THAT(topic.Values(), ElementsAre("2", "3"));
}

TEST_F(ParkingTest, WithoutAPlaceForItTheRelaySaysWhatIsMissing) {
  support::Database bare(support::ServerConninfo(), support::Schema::kEmpty);
  auto settings = Parks();
  settings.database.conninfo = Secret<std::string>(bare.conninfo());
  settings.publications.clear();
  RunningRelay relay(settings);
  EXPECT_TRUE(Eventually([&] {
    return relay.Health().find("table relay.parked does not exist") != std::string::npos;
  })) << relay.Health();
}

}  // namespace
}  // namespace countersign::relay
