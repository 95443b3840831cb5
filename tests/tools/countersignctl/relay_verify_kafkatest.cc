// relay verify on a real system: what a real relay brought, and faults planted beside it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "libs/kafka/producer.h"
#include "tests/services/outbox-relay/relaying.h"
#include "tests/tools/countersignctl/ctl_run.h"

namespace countersign::ctl {
namespace {

using support::Eventually;
using support::Topic;
using testing::HasSubstr;

// A record as the relay would make it, to be spoilt.
struct Planted {
  std::string key;
  std::string value;
  std::map<std::string, std::string> headers;
};

class VerifyTest : public relay::RelayTest {
 protected:
  void SetUp() override {
    RelayTest::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) Connect();
  }
  [[nodiscard]] Told Verify(const Topic& topic, std::vector<std::string> more = {}) const {
    more.insert(more.begin(),
                {"relay", "verify", "--topics", topic.name(), "--until", "0s", "--slot", slot_});
    return RunCtl(more, {{"DATABASE_URL", Conninfo()}, {"KAFKA_BROKERS", support::Brokers()}});
  }
  [[nodiscard]] nlohmann::json Json(const Topic& topic, std::vector<std::string> more = {}) const {
    more.emplace_back("--json");
    return nlohmann::json::parse(Verify(topic, more).out);
  }
  // The findings that are not 0.
  [[nodiscard]] static std::map<std::string, int> Findings(const nlohmann::json& verdict) {
    std::map<std::string, int> counts;
    for (const auto& [name, found] : verdict["findings"].items()) {
      if (found["count"] != 0) counts[name] = found["count"];
    }
    return counts;
  }
  using Counts = std::map<std::string, int>;

  // The rows of that topic as records, `spoil` applied to each; those it says no to are left out.
  void Plant(const Topic& topic, const std::function<bool(Planted&)>& spoil,
             const std::string& order = "ASC") {
    const std::string name = "plant" + order;
    const std::string sql =
        "SELECT event_id::text, key, type, seq::text, payload::text, id::text, "
        "to_char(occurred_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM auth.event_log "
        "WHERE topic = $1 ORDER BY id " +
        order;
    kafka::ProducerSettings settings;
    settings.client = support::Cluster();
    kafka::Producer producer(settings);
    for (const auto& row : db_->Execute({name, sql}, topic.name())) {
      Planted record{.key = row.Get<std::string>(1),
                     .value = row.Get<std::string>(4),
                     .headers = {{"ce_id", row.Get<std::string>(0)},
                                 {"ce_source", "/countersign/auth"},
                                 {"ce_type", row.Get<std::string>(2)},
                                 {"ce_sequence", row.Get<std::string>(3)},
                                 {"outbox_id", row.Get<std::string>(5)},
                                 {"ce_time", row.Get<std::string>(6)}}};
      if (!spoil(record)) continue;
      kafka::Headers headers;
      for (const auto& [header, value] : record.headers) headers.Add(header, value);
      const auto key = record.key.empty() ? std::string_view{} : std::string_view(record.key);
      ASSERT_TRUE(Eventually([&] {
        producer.Drain([](const kafka::Delivery&) {});
        return producer.Produce({.topic = topic.name(), .key = key, .value = record.value},
                                headers) == kafka::Produced::kQueued;
      }));
    }
    ASSERT_TRUE(producer.Flush(std::chrono::seconds(10), [](const kafka::Delivery&) {}));
  }
  static bool AsItIs(Planted&) { return true; }
  // A verification has read the logs.
  [[nodiscard]] bool WaitsForTheRelay() const {
    return Scalar<bool>(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'countersignctl' "
        "AND datname = current_database() AND query LIKE '%confirmed_flush_lsn >= $2%')");
  }
  void AwaitConfirmed() {
    const Lsn end = Now();
    ASSERT_TRUE(Eventually([&] { return Confirmed() >= end; }));
  }
};

TEST_F(VerifyTest, WhatARelayBroughtIsCleanAndSoIsAReplayOfIt) {
  const Topic topic(3);
  const auto relay = Start();
  AppendNumbers(topic.name(), 1, 2500);
  for (int i = 1; i <= 20; ++i) {
    Append({.topic = topic.name(),
            .key = "key" + std::to_string(i % 7),
            .payload = R"({"b": 1,  "a":"\u00e4ä"})",
            .seq = i,
            .schema = i % 2 == 0 ? "otp" : "auth"});
  }
  const auto told = Verify(topic);
  EXPECT_EQ(told.exit, kOk) << told.out << told.err;
  EXPECT_THAT(told.out, HasSubstr("2520 rows"));
  EXPECT_THAT(told.out, HasSubstr("nothing lost"));
  ASSERT_EQ(RunCtl({"relay", "replay", "--since", "10m", "--topic", topic.name(), "--key", "key1"},
                   {{"DATABASE_URL", Conninfo()}, {"KAFKA_BROKERS", support::Brokers()}})
                .exit,
            kOk);
  const auto verdict = Json(topic);
  EXPECT_EQ(verdict["clean"], true) << verdict;
  EXPECT_EQ(verdict["duplicates"], 0);
  EXPECT_GT(verdict["replayed"], 0);
  EXPECT_EQ(verdict["records"], 2520 + verdict["replayed"].get<int>());
}

TEST_F(VerifyTest, FindsALostEvent) {
  const Topic topic;
  AppendNumbers(topic.name(), 1, 5);
  Plant(topic, [](Planted& record) { return record.headers["ce_sequence"] != "3"; });
  const auto told = Verify(topic);
  EXPECT_EQ(told.exit, kDiffers);
  EXPECT_THAT(told.out, HasSubstr("1 lost\n  event "));
  EXPECT_THAT(told.out, HasSubstr("there is no slot"));
  EXPECT_EQ(Findings(Json(topic)), (Counts{{"lost", 1}}));
}

TEST_F(VerifyTest, FindsAnInventedEventBesideThoseOfARelay) {
  const Topic topic;
  const auto relay = Start();
  AppendNumbers(topic.name(), 1, 5);
  AwaitConfirmed();
  Plant(topic, [](Planted& record) {
    record.headers["ce_id"] = "10000000-0000-4000-8000-000000000000";
    return record.headers["ce_sequence"] == "3";
  });
  const auto verdict = Json(topic);
  EXPECT_EQ(Findings(verdict), (Counts{{"invented", 1}}));
  EXPECT_THAT(verdict["findings"]["invented"]["examples"][0].get<std::string>(),
              HasSubstr("10000000-0000-4000-8000-000000000000 at " + topic.name() + "/0@5"));
}

TEST_F(VerifyTest, FindsAReplayedRecordWithoutARow) {
  const Topic topic;
  AppendNumbers(topic.name(), 1, 1);
  Plant(topic, AsItIs);
  Plant(topic, [](Planted& record) {
    record.headers["ce_id"] = "none";
    record.headers["replay"] = "1";
    return true;
  });
  EXPECT_EQ(Findings(Json(topic)), (Counts{{"invented", 1}}));
}

TEST_F(VerifyTest, FindsAnAlteredEvent) {
  const Topic topic;
  AppendNumbers(topic.name(), 1, 5);
  Plant(topic, [](Planted& record) {
    if (record.headers["ce_sequence"] == "4") record.value += " ";
    return true;
  });
  EXPECT_EQ(Findings(Json(topic)), (Counts{{"altered", 1}}));
}

TEST_F(VerifyTest, FindsEventsInAnotherOrder) {
  const Topic topic;
  AppendNumbers(topic.name(), 1, 3);
  Plant(topic, AsItIs, "DESC");
  EXPECT_EQ(Findings(Json(topic)), (Counts{{"out of order", 2}}));
}

// A record without a key goes to any partition.
TEST_F(VerifyTest, FindsAKeyOnTwoPartitions) {
  constexpr int kRows = 12;
  const Topic topic(8);
  for (int i = 1; i <= kRows; ++i) {
    Append({.topic = topic.name(), .key = "", .seq = i});
    Plant(topic,
          [i](Planted& record) { return record.headers["ce_sequence"] == std::to_string(i); });
  }
  EXPECT_EQ(Findings(Json(topic)), (Counts{{"keys on two partitions", 1}}));
}

TEST_F(VerifyTest, CountsDuplicatesWhichAreNoFault) {
  const Topic topic;
  AppendNumbers(topic.name(), 1, 5);
  Plant(topic, AsItIs);
  Plant(topic, AsItIs);
  const auto verdict = Json(topic);
  EXPECT_EQ(verdict["clean"], true) << verdict;
  EXPECT_EQ(verdict["duplicates"], 5);
}

TEST_F(VerifyTest, RowsThatTheRelayHasNotConfirmedWait) {
  const Topic topic;
  { const auto relay = Start(); }
  AppendNumbers(topic.name(), 1, 4);
  const auto told = Verify(topic, {"--wait", "0"});
  EXPECT_EQ(told.exit, kDiffers);
  EXPECT_THAT(told.out, HasSubstr("4 waiting"));
  EXPECT_THAT(told.out, HasSubstr("note: the relay has confirmed"));
  const auto relay = Start();
  EXPECT_EQ(Verify(topic).exit, kOk);
}

// The slot has passed them, and no topic has them.
TEST_F(VerifyTest, RowsOfAParkedKeyWaitFromTheRefusedOneOn) {
  const Topic topic;
  auto settings = MakeSettings();
  settings.on_refusal = relay::OnRefusal::kPark;
  const auto relay = Start(settings);
  Append({.topic = topic.name(), .payload = "1"});
  Append({.topic = topic.name(), .payload = '"' + std::string(2'000'000, 'x') + '"'});
  Append({.topic = topic.name(), .payload = "3"});
  Append({.topic = topic.name(), .key = "other", .payload = "4"});
  AwaitConfirmed();
  const auto verdict = Json(topic);
  EXPECT_EQ(Findings(verdict), (Counts{{"waiting", 2}}));
  EXPECT_THAT(verdict["notes"].dump(), HasSubstr("1 keys are parked"));
  db_->Execute({"forget", "DELETE FROM relay.parked WHERE slot = $1"}, slot_);
  EXPECT_EQ(Findings(Json(topic)), (Counts{{"lost", 2}})) << "nobody would bring them any more";
}

TEST_F(VerifyTest, ARowThatIsCommittedWhileItReadsIsNotInvented) {
  const Topic topic;
  { const auto relay = Start(); }
  AppendNumbers(topic.name(), 1, 1);
  pg::Connection late(DatabaseSettings());
  late.ExecuteScript("BEGIN");
  AppendIn(late, {.topic = topic.name(), .key = "late"});
  nlohmann::json verdict;
  std::thread verifying([&] { verdict = Json(topic, {"--wait", "60"}); });
  EXPECT_TRUE(Eventually([&] { return WaitsForTheRelay(); }));
  late.ExecuteScript("COMMIT");
  const auto relay = Start();
  verifying.join();
  EXPECT_EQ(verdict["clean"], true) << verdict;
  EXPECT_EQ(verdict["rows"], 1);
  EXPECT_EQ(verdict["records"], 2);
}

TEST_F(VerifyTest, LooksOnlyAtItsRange) {
  const Topic topic;
  AppendNumbers(topic.name(), 1, 2);
  Plant(topic, [](Planted& record) {
    record.value = "1";
    return record.headers["ce_sequence"] == "1";
  });
  EXPECT_EQ(Findings(Json(topic)), (Counts{{"altered", 1}, {"lost", 1}}));
  const auto later = ToRfc3339(SystemClock().Now());
  AppendNumbers(topic.name(), 3, 3);
  Plant(topic, [](Planted& record) { return record.headers["ce_sequence"] == "3"; });
  const auto verdict = Json(topic, {"--since", later});
  EXPECT_EQ(verdict["clean"], true) << verdict;
  EXPECT_EQ(verdict["rows"], 1);
  EXPECT_EQ(verdict["records"], 1);
}

TEST_F(VerifyTest, OfATopicThatIsGoneEverythingIsLost) {
  std::string name;
  {
    const Topic topic;
    name = topic.name();
  }
  AppendNumbers(name, 1, 3);
  const auto told = RunCtl({"relay", "verify", "--topics", name, "--until", "0s"},
                           {{"DATABASE_URL", Conninfo()}, {"KAFKA_BROKERS", support::Brokers()}});
  EXPECT_EQ(told.exit, kDiffers) << told.err;
  EXPECT_THAT(told.out, HasSubstr("3 lost"));
  EXPECT_THAT(told.out, HasSubstr("there is no topic " + name));
}

TEST_F(VerifyTest, CtrlCEndsItWithoutAVerdict) {
  const Topic topic;
  { const auto relay = Start(); }
  AppendNumbers(topic.name(), 1, 1);
  Told told;
  std::thread verifying([&] { told = Verify(topic, {"--wait", "60"}); });
  EXPECT_TRUE(Eventually([&] { return WaitsForTheRelay(); }));
  std::raise(SIGINT);
  verifying.join();
  EXPECT_EQ(told.exit, kInterrupted);
  EXPECT_THAT(told.err, HasSubstr("nothing was judged"));
}

TEST_F(VerifyTest, TooManyRowsAreRefused) {
  const Topic topic;
  AppendNumbers(topic.name(), 1, 3);
  const auto told = Verify(topic, {"--max-rows", "2"});
  EXPECT_EQ(told.exit, kFailed);
  EXPECT_THAT(told.err, HasSubstr("shorter range"));
}

}  // namespace
}  // namespace countersign::ctl
