#include "services/outbox-relay/relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "libs/core/uuid.h"
#include "libs/pg/errors.h"
#include "tests/services/outbox-relay/keyed_writers.h"
#include "tests/services/outbox-relay/relaying.h"

namespace countersign::relay {
namespace {

using namespace std::chrono_literals;
using support::Eventually;
using support::Topic;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class RelayKafkaTest : public RelayTest {
 protected:
  void SetUp() override {
    RelayTest::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) Connect();
  }
  void TerminateWalSender() {
    db_->ExecuteScript(
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE "
        "active AND slot_name = '" +
        slot_ + "'");
  }
};

TEST_F(RelayKafkaTest, BringsAnEventByteForByteWithItsHeaders) {
  const Topic topic;
  const auto relay = Start();
  const std::string payload = R"({"b": 1,  "a":"\u00e4ä", "b": 1.10})";
  Append({.topic = topic.name(),
          .key = "user-1",
          .payload = payload,
          .headers = R"({"traceparent": "00-abc", "actor": "\u00fc"})",
          .seq = 42});
  const auto record = topic.AwaitRecords(1)[0];
  EXPECT_EQ(record.value, payload);
  EXPECT_EQ(record.key, "user-1");
  const auto row = [&](const std::string& column) {
    return Scalar<std::string>("SELECT (" + column + ")::text FROM auth.event_log WHERE topic = '" +
                               topic.name() + "'");
  };
  std::vector<std::string> names;
  for (const auto& [name, value] : record.headers) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject",
                                 "ce_time", "ce_sequence", "content-type", "traceparent", "actor",
                                 "outbox_id", "commit_lsn"));
  EXPECT_EQ(record.Header("ce_id"), row("event_id"));
  EXPECT_EQ(record.Header("ce_source"), "/countersign/auth");
  EXPECT_EQ(record.Header("ce_type"), "test.type");
  EXPECT_EQ(record.Header("ce_subject"), "user-1");
  EXPECT_EQ(record.Header("ce_time"),
            row("to_char(occurred_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"));
  EXPECT_EQ(record.Header("ce_sequence"), "42");
  EXPECT_EQ(record.Header("content-type"), "application/json");
  EXPECT_EQ(record.Header("actor"), "ü");
  EXPECT_EQ(record.Header("outbox_id"), row("id"));
  EXPECT_TRUE(ParseLsn(record.Header("commit_lsn")));
}

TEST_F(RelayKafkaTest, BringsTheEventsOfBothServices) {
  const Topic topic;
  const auto relay = Start();
  Append({.topic = topic.name(), .schema = "auth"});
  Append({.topic = topic.name(), .schema = "otp"});
  const auto records = topic.AwaitRecords(2);
  EXPECT_EQ(records[0].Header("ce_source"), "/countersign/auth");
  EXPECT_EQ(records[1].Header("ce_source"), "/countersign/otp");
}

TEST_F(RelayKafkaTest, BringsEventsOfEveryPartitionOfTheLog) {
  const Topic topic;
  const auto relay = Start();
  for (const int day : {0, 3, 14}) {
    db_->ExecuteScript(
        "INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, "
        "occurred_at) VALUES (gen_random_uuid(), '" +
        topic.name() + "', 'k', 't', 1, '" + std::to_string(day) +
        "', clock_timestamp() + interval '" + std::to_string(day) + " days')");
  }
  std::vector<std::string> values;
  for (const auto& record : topic.AwaitRecords(3)) values.push_back(record.value);
  EXPECT_THAT(values, ElementsAre("0", "3", "14"));
}

TEST_F(RelayKafkaTest, KeepsCommitOrderPerKeyAndBringsNothingThatWasRolledBack) {
  const Topic topic(3);
  db_->ExecuteScript("DROP TABLE IF EXISTS keys");
  const auto relay = Start();
  const std::size_t committed = RunKeyedWriters(Settings(), topic.name());
  static_cast<void>(topic.AwaitRecords(committed));
  const Lsn end = Now();
  EXPECT_TRUE(Eventually([&] { return Confirmed() >= end; }));
  ExpectEachOnceInOrder(topic.Read(), committed);
}

TEST_F(RelayKafkaTest, BringsABigTransactionWholeAndInOrder) {
  constexpr int kRows = 20'000;
  const Topic topic;
  const auto relay = Start();
  AppendNumbers(topic.name(), 1, kRows);
  const Lsn end = Now();
  EXPECT_EQ(Numbers(topic.AwaitRecords(kRows)), UpTo(kRows));
  EXPECT_TRUE(Eventually([&] { return Confirmed() >= end; }));
}

TEST_F(RelayKafkaTest, GoesOnWhereItStoppedWithoutLossAndWithoutDoubling) {
  const Topic topic;
  for (int life = 0; life < 3; ++life) {
    const auto relay = Start();
    AppendNumbers(topic.name(), life * 20 + 1, life * 20 + 10);
    EXPECT_LT(relay->Stop(), 8s);
    AppendNumbers(topic.name(), life * 20 + 11, life * 20 + 20);
  }
  const auto relay = Start();
  EXPECT_EQ(Numbers(topic.AwaitRecords(60)), UpTo(60));
  AppendNumbers(topic.name(), 61, 61);
  EXPECT_EQ(Numbers(topic.AwaitRecords(61)), UpTo(61));
}

TEST_F(RelayKafkaTest, AStopInTheMiddleOfATransactionReadsItToItsEnd) {
  constexpr int kRows = 20'000;
  const Topic topic;
  {
    const auto relay = Start();
    AppendNumbers(topic.name(), 1, kRows);
    ASSERT_TRUE(Eventually([&] { return relay->Gauge("relay_in_flight") > 0; }));
    EXPECT_LT(relay->Stop(), 8s);
  }
  const auto relay = Start();
  AppendNumbers(topic.name(), kRows + 1, kRows + 1);
  EXPECT_EQ(Numbers(topic.AwaitRecords(kRows + 1)), UpTo(kRows + 1));
}

TEST_F(RelayKafkaTest, WhatItHandedOverBeforeItStoppedIsConfirmed) {
  const Topic topic;
  const auto relay = Start();
  AppendNumbers(topic.name(), 1, 100);
  const Lsn end = Now();
  static_cast<void>(topic.AwaitRecords(100));
  relay->Stop();
  EXPECT_GE(Confirmed(), end);
  EXPECT_EQ(WalSender(), 0) << "the slot is not free at once";
}

TEST_F(RelayKafkaTest, ConfirmsTheWalOfOtherTablesToo) {
  const auto relay = Start();
  db_->ExecuteScript("CREATE TABLE IF NOT EXISTS other (x int); INSERT INTO other VALUES (1)");
  const Lsn end = Now();
  EXPECT_TRUE(Eventually([&] { return Confirmed() >= end; })) << "WAL is kept for nothing";
}

TEST_F(RelayKafkaTest, OutlivesATerminatedConnectionAtAnyMoment) {
  constexpr int kEvents = 600;
  const Topic topic;
  const auto relay = Start();
  const std::jthread writer([&] {
    pg::Connection db(Settings());
    for (int i = 1; i <= kEvents; ++i) {
      AppendIn(db, {.topic = topic.name(), .payload = "\"" + std::to_string(i) + "\"", .seq = i});
    }
  });
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(Eventually([&] { return WalSender() != 0; }));
    TerminateWalSender();
    std::this_thread::sleep_for(std::chrono::milliseconds(30 * i));
  }
  ASSERT_TRUE(Eventually(
      [&] {
        return relay->Gauge("relay_in_flight") == 0 && WalSender() != 0 && Confirmed() >= Now();
      },
      60s));
  EXPECT_EQ(Numbers(topic.Read()), UpTo(kEvents));
}

class CutTransaction : public RelayKafkaTest, public testing::WithParamInterface<Promise> {};

TEST_P(CutTransaction, ComesAgainAndIsDoubledOnlyWhereNothingElseWasPromised) {
  constexpr int kRows = 30'000;
  const Topic topic;
  auto settings = MakeSettings();
  settings.promise = GetParam();
  const auto relay = Start(settings);
  AppendNumbers(topic.name(), 1, kRows);
  AppendNumbers(topic.name(), kRows + 1, kRows + 10);
  ASSERT_TRUE(Eventually([&] { return relay->Gauge("relay_in_flight") > 0; }));
  TerminateWalSender();
  const Lsn end = Now();
  ASSERT_TRUE(Eventually([&] { return Confirmed() >= end; })) << relay->Log();
  const auto records = topic.Read();
  EXPECT_EQ(Numbers(FirstOccurrences(records)), UpTo(kRows + 10));
  if (GetParam() == Promise::kAtLeastOnce) {
    EXPECT_GT(records.size(), std::size_t{kRows + 10}) << "nothing was cut";
  } else {
    EXPECT_EQ(records.size(), std::size_t{kRows + 10});
    EXPECT_GT(relay->Counter("relay_left_out_total"), 0) << "nothing was cut";
  }
}
INSTANTIATE_TEST_SUITE_P(Each, CutTransaction,
                         testing::Values(Promise::kAtLeastOnce, Promise::kDeduplicated));

TEST_F(RelayKafkaTest, FollowsATableThatChangesItsColumns) {
  const Topic topic;
  const auto relay = Start();
  AppendNumbers(topic.name(), 1, 1);
  db_->ExecuteScript("ALTER TABLE auth.event_log ADD COLUMN extra text DEFAULT 'more'");
  AppendNumbers(topic.name(), 2, 2);
  db_->ExecuteScript("ALTER TABLE auth.event_log DROP COLUMN extra");
  AppendNumbers(topic.name(), 3, 3);
  EXPECT_EQ(Numbers(topic.AwaitRecords(3)), UpTo(3));
}

TEST_F(RelayKafkaTest, ASecondRelayWaitsForTheSlotAndTakesOver) {
  const Topic topic;
  const auto first = Start();
  AppendNumbers(topic.name(), 1, 5);
  static_cast<void>(topic.AwaitRecords(5));
  RunningRelay second(MakeSettings());
  EXPECT_TRUE(Eventually([&] { return second.Log().find("standing by") != std::string::npos; }));
  EXPECT_EQ(second.Health(), "") << "to stand by is no trouble";
  EXPECT_EQ(second.Gauge("relay_leader"), 0);
  EXPECT_EQ(first->Gauge("relay_leader"), 1);
  first->Stop();
  AppendNumbers(topic.name(), 6, 10);
  EXPECT_EQ(Numbers(topic.AwaitRecords(10)), UpTo(10));
  EXPECT_EQ(second.Health(), "");
  EXPECT_EQ(second.Gauge("relay_leader"), 1);
}

TEST_F(RelayKafkaTest, ARelayThatStandsByStopsAtOnce) {
  const auto first = Start();
  RunningRelay second(MakeSettings());
  ASSERT_TRUE(Eventually([&] { return second.Log().find("standing by") != std::string::npos; }));
  EXPECT_LT(second.Stop(), 2s);
}

TEST_F(RelayKafkaTest, MakesNoSlotBeforeItsPublicationExists) {
  auto settings = MakeSettings();
  settings.publications = {"countersign_auth", "not_there"};
  RunningRelay relay(settings);
  EXPECT_TRUE(Eventually([&] { return relay.Reconnects("publication_missing") > 0; }));
  EXPECT_THAT(relay.Health(), HasSubstr("not_there"));
  EXPECT_EQ(
      Scalar<int>("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '" + slot_ + "'"),
      0);
}

TEST_F(RelayKafkaTest, DB1_NeedsNoMoreThanItsRole) {
  const Topic topic;
  const std::string role = "relaying_" + slot_;
  db_->ExecuteScript("CREATE ROLE " + role + " LOGIN REPLICATION PASSWORD '" + slot_ +
                     "' IN ROLE countersign_relay");
  auto settings = MakeSettings();
  settings.database.conninfo =
      Secret(pg::WithKeyword(settings.database.conninfo.Reveal(), "user", role));
  settings.database.password = Secret(slot_);
  {
    const auto relay = Start(settings);
    AppendNumbers(topic.name(), 1, 3);
    EXPECT_EQ(Numbers(topic.AwaitRecords(3)), UpTo(3)) << relay->Log();
  }
  DropSlot();
  db_->ExecuteScript("DROP ROLE " + role);
}

TEST_F(RelayKafkaTest, WrongCredentialsShowAtTheStart) {
  auto settings = MakeSettings();
  settings.database.password = Secret<std::string>("wrong");
  const tests::LogSink sink;
  const log::Logger logger("relay", log::Level::kInfo, sink.fd());
  metrics::Registry registry;
  const SystemClock clock;
  Observer observer(registry, clock);
  EXPECT_THROW(Relay(settings, logger, observer).CheckCredentials(), pg::ReplicationRefused);
  settings.database.conninfo =
      Secret(pg::WithKeyword(Settings().conninfo.Reveal(), "dbname", "nowhere"));
  settings.database.password = {};
  EXPECT_THROW(Relay(settings, logger, observer).CheckCredentials(), pg::ReplicationRefused);
}

TEST_F(RelayKafkaTest, ServersThatAreAwayAreNoFaultAtTheStart) {
  auto settings = MakeSettings();
  settings.database.conninfo = Secret(pg::WithKeyword(Settings().conninfo.Reveal(), "port", "1"));
  settings.kafka.client.brokers = "127.0.0.1:1";
  const tests::LogSink sink;
  const log::Logger logger("relay", log::Level::kInfo, sink.fd());
  metrics::Registry registry;
  const SystemClock clock;
  Observer observer(registry, clock);
  EXPECT_NO_THROW(Relay(settings, logger, observer).CheckCredentials());
  EXPECT_THAT(sink.Text(), HasSubstr("the database does not answer yet"));
  EXPECT_THAT(sink.Text(), HasSubstr("no kafka broker answers yet"));
}

TEST_F(RelayKafkaTest, TellsWhatItDid) {
  const Topic topic;
  const auto relay = Start();
  AppendNumbers(topic.name(), 1, 10);
  static_cast<void>(topic.AwaitRecords(10));
  EXPECT_TRUE(Eventually([&] { return relay->Gauge("relay_in_flight") == 0; }));
  EXPECT_GT(relay->Gauge("relay_confirmed_lsn"), 0);
  EXPECT_EQ(relay->Health(), "");
  EXPECT_THAT(relay->Log(), HasSubstr("\"streaming\""));
  EXPECT_THAT(relay->Log(), Not(HasSubstr("\"error\"")));
}

}  // namespace
}  // namespace countersign::relay
