// What Kafka refuses for good holds back its own key and nothing else, until somebody decides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/outbox-relay/tail.h"
#include "tests/services/outbox-relay/own_database.h"

namespace countersign::relay {
namespace {

using namespace std::chrono_literals;
using support::Eventually;
using support::Topic;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kTooLarge = "\"" + std::string(2'000'000, 'x') + "\"";

class ParkingTest : public OwnDatabaseTest, public testing::WithParamInterface<Source> {
 protected:
  [[nodiscard]] RelaySettings Parks() const {
    auto settings = MakeSettings();
    settings.source = GetParam();
    settings.on_refusal = OnRefusal::kPark;
    settings.park_after = 500ms;
    return settings;
  }
  // From its first look at the source on.
  [[nodiscard]] static std::unique_ptr<RunningRelay> Start(RelaySettings settings) {
    auto relay = std::make_unique<RunningRelay>(std::move(settings));
    const char* reads = GetParam() == Source::kTable ? "\"following the tables\"" : "\"streaming\"";
    EXPECT_TRUE(Eventually([&] { return relay->Log().find(reads) != std::string::npos; }))
        << relay->Log();
    return relay;
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
  // Until the source is read to what is committed now, and Kafka has it.
  void AwaitConfirmed() {
    if (GetParam() == Source::kTable) return AwaitSettled(true);
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

TEST_P(ParkingTest, AnEventThatIsTooLargeParksItsKeyAndTheStreamGoesOn) {
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

TEST_P(ParkingTest, SkippingBringsTheRestOfTheKeyInOrderAndWhatComesLaterOnce) {
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

TEST_P(ParkingTest, AMissingTopicIsWaitedForThenItsKeysAreParkedUntilItExists) {
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

TEST_P(ParkingTest, ATopicThatIsMadeInTimeParksNothing) {
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
TEST_P(ParkingTest, OfARefusedRequestOnlyTheCulpritIsParked) {
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

TEST_P(ParkingTest, OneLargeEventAmongMoreThanFitTheQueueParksOneKey) {
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

TEST_P(ParkingTest, WhatIsRefusedAgainWhenItIsUnparkedStaysParked) {
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
TEST_P(ParkingTest, ASecondCulpritOfAKeyIsParkedAndWhatCameBeforeItIsNotDoubled) {
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

TEST_P(ParkingTest, ARestartedRelayKnowsWhatIsParked) {
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

// A relay that parks nothing knows of no key that waits.
TEST_P(ParkingTest, ARelayThatWouldPassParkedKeysDoesNotStart) {
  const Topic topic(1);
  {
    const auto relay = Start(Parks());
    Append(topic.name(), "a", kTooLarge);
    AwaitParked(1);
  }
  Append(topic.name(), "a", "2");
  {
    auto holds = Parks();
    holds.on_refusal = OnRefusal::kHold;
    RunningRelay relay(holds);
    EXPECT_TRUE(Eventually([&] { return relay.Reconnects("parking") > 0; }));
    EXPECT_THAT(relay.Health(), HasSubstr("1 keys are parked"));
  }
  EXPECT_TRUE(topic.Values().empty());
  Ask("a", "skip");
  const auto relay = Start(Parks());
  EXPECT_EQ(topic.AwaitRecords(1)[0].value, "2");
}

// Ids of two tables say nothing about each other.
TEST_P(ParkingTest, EventsOfAKeyInTwoTablesWaitAndComeEachForItself) {
  const Topic topic(1);
  const auto relay = Start(Parks());
  const auto append_otp = [&](const std::string& payload) {
    RelayTest::Append({.topic = topic.name(), .key = "a", .payload = payload, .schema = "otp"});
  };
  for (int i = 0; i < 5; ++i) append_otp(std::to_string(i));
  Append(topic.name(), "a", kTooLarge);
  append_otp("5");
  Append(topic.name(), "a", "6");
  append_otp(kTooLarge);
  append_otp("7");
  AwaitParked(2);
  AwaitConfirmed();
  EXPECT_EQ(topic.Values().size(), 6U);
  Ask("a", "skip");
  AwaitParked(0);
  EXPECT_THAT(topic.Values(),
              testing::UnorderedElementsAre("0", "1", "2", "3", "4", "5", "6", "7"));
}

// PostgreSQL would hang up on a relay that says nothing while it waits for the rows.
TEST_P(ParkingTest, ALongSearchForTheEventsOfAKeyIsNoSilence) {
  const Topic topic(1);
  db_->ExecuteScript(
      "CREATE VIEW auth.slow AS SELECT log.* FROM (SELECT pg_sleep(4) OFFSET 0) AS wait, "
      "auth.event_log AS log");
  Append(topic.name(), "a", "1");
  db_->Execute({"park",
                "INSERT INTO relay.parked (slot, topic, key, source_schema, source_table, "
                "first_id, event_id, reason, wanted) VALUES ($1, $2, 'a', 'auth', 'slow', 1, 'e', "
                "'too large', 'unpark')"},
               slot_, topic.name());
  auto settings = Parks();
  settings.takeover_after = 1s;
  const auto relay = Start(settings);
  AwaitParked(0);
  EXPECT_THAT(topic.Values(), ElementsAre("1"));
  for (const char* cause : {"frozen", "connection_lost", "parking", "server_error"}) {
    EXPECT_EQ(relay->Reconnects(cause), 0) << cause << relay->Log();
  }
}

// A relay that was frozen while it released a key finds it parked anew, and leaves that alone.
TEST_P(ParkingTest, AReleaseThatComesLateChangesNothing) {
  const Topic topic(1);
  pg::ConnectionSettings settings = DatabaseSettings();
  Parking late(settings, slot_);
  const Lane lane{.table = {.schema = "auth", .table = "event_log"}, .topic = "t", .key = "a"};
  const Parked first{.first_id = 5, .event_id = "e5", .wanted = Wanted::kUnpark};
  late.Park(lane, first, "why");
  Parking other(settings, slot_);
  other.Load();
  other.Release(lane, first, 3);
  other.Park(lane, {.first_id = 20, .event_id = "e20"}, "why");
  EXPECT_THROW(late.Release(lane, first, 3), pg::ReplicationFault);
  EXPECT_EQ(ParkedKeys(), 1);
  EXPECT_THAT(Actions(), ElementsAre("parked", "unparked", "parked"));
}

TEST_P(ParkingTest, WithoutAPlaceForItTheRelaySaysWhatIsMissing) {
  support::Database bare(support::ServerConninfo(), support::Schema::kEmpty);
  auto settings = Parks();
  settings.database.conninfo = Secret<std::string>(bare.conninfo());
  settings.publications.clear();
  settings.tables.clear();
  RunningRelay relay(settings);
  EXPECT_TRUE(Eventually([&] {
    return relay.Health().find("table relay.parked does not exist") != std::string::npos;
  })) << relay.Health();
}

INSTANTIATE_TEST_SUITE_P(Sources, ParkingTest, testing::Values(Source::kWal, Source::kTable),
                         [](const auto& tested) {
                           return tested.param == Source::kTable ? "table" : "wal";
                         });

}  // namespace
}  // namespace countersign::relay
