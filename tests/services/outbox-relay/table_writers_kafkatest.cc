// The tables as source, while others write: order, what is rolled back, and what stays open.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/services/outbox-relay/following.h"
#include "tests/services/outbox-relay/keyed_writers.h"

namespace countersign::relay {
namespace {

using namespace std::chrono_literals;
using support::Topic;
using testing::ElementsAre;

class TableWritersTest : public TableTest {};

TEST_F(TableWritersTest, BringsTheEventsOfBothServicesWithTheirHeaders) {
  const Topic topic;
  const auto relay = Follow();
  const std::string payload = R"({"b": 1,  "a":"ä", "b": 1.10})";
  Append({.topic = topic.name(), .key = "user-1", .payload = payload, .seq = 42});
  Append({.topic = topic.name(), .schema = "otp"});
  const auto records = topic.AwaitRecords(2);
  const auto& first = records[records[0].key == "user-1" ? 0 : 1];
  EXPECT_EQ(first.value, payload);
  EXPECT_EQ(first.Header("ce_source"), "/countersign/auth");
  EXPECT_EQ(first.Header("ce_sequence"), "42");
  EXPECT_EQ(first.Header("outbox_id"), Scalar<std::string>("SELECT id::text FROM auth.event_log"));
  EXPECT_EQ(first.Header("commit_lsn"), "") << "a table does not tell";
  EXPECT_EQ(relay->Health(), "");
}

TEST_F(TableWritersTest, KeepsTheOrderPerKeyAndBringsNothingThatWasRolledBack) {
  const Topic topic(3);
  const auto relay = Follow();
  const std::size_t committed = RunKeyedWriters(DatabaseSettings(), topic.name());
  ASSERT_EQ(Scalar<std::size_t>("SELECT count(*) FROM auth.event_log"), committed);
  static_cast<void>(topic.AwaitRecords(committed));
  AwaitSettled(true);
  ExpectEachOnceInOrder(topic.Read(), committed);
}

// The first to begin is the second to change the user: its number is lower, its event is later.
TEST_F(TableWritersTest, ALowerTransactionNumberIsNoEarlierEvent) {
  const Topic topic(1);
  db_->ExecuteScript(
      "CREATE TABLE users (id int PRIMARY KEY, n int); INSERT INTO users VALUES (1, 0); "
      "CREATE TABLE others (n int)");
  const auto a = Session();
  const auto b = Session();
  a->ExecuteScript("BEGIN; INSERT INTO others VALUES (1)");
  b->ExecuteScript("BEGIN; UPDATE users SET n = 1");
  AppendIn(*b, {.topic = topic.name(), .payload = "\"e1\""});
  b->ExecuteScript("COMMIT");
  a->ExecuteScript("UPDATE users SET n = 2");
  AppendIn(*a, {.topic = topic.name(), .payload = "\"e2\""});
  a->ExecuteScript("COMMIT");
  ASSERT_TRUE(
      Scalar<bool>("SELECT (SELECT xid FROM auth.event_log WHERE payload::text = '\"e1\"') > "
                   "(SELECT xid FROM auth.event_log WHERE payload::text = '\"e2\"')"));
  const auto relay = Follow();
  EXPECT_THAT(Values(topic.AwaitRecords(2)), ElementsAre("\"e1\"", "\"e2\""));
}

TEST_F(TableWritersTest, AnOpenTransactionHoldsNobodyUpAndIsNotMissed) {
  const Topic topic(1);
  const auto relay = Follow();
  const auto late = Session();
  late->ExecuteScript("BEGIN");
  AppendIn(*late, {.topic = topic.name(), .payload = "\"late\""});
  for (int i = 1; i <= 5; ++i) {
    AppendNumbers(topic.name(), i, i);
    static_cast<void>(topic.AwaitRecords(static_cast<std::size_t>(i)));
  }
  AwaitSettled(true);
  late->ExecuteScript("COMMIT");
  const auto records = topic.AwaitRecords(6);
  EXPECT_EQ(records.back().value, "\"late\"");
  AppendNumbers(topic.name(), 6, 6);
  EXPECT_EQ(topic.AwaitRecords(7).size(), 7U) << "and once";
}

TEST_F(TableWritersTest, AnOpenTransactionIsFoundByTheNextRelay) {
  const Topic topic(1);
  const auto late = Session();
  {
    const auto relay = Follow();
    AppendNumbers(topic.name(), 1, 1);
    AwaitCheckpointed(topic.name(), 1);
    late->ExecuteScript("BEGIN");
    AppendIn(*late, {.topic = topic.name(), .payload = "\"late\""});
    AppendNumbers(topic.name(), 2, 50);
    AwaitCheckpointed(topic.name(), 50);
  }
  {
    // While it is open, nothing that Kafka has may be forgotten either.
    const auto relay = Follow();
    AppendNumbers(topic.name(), 51, 60);
    static_cast<void>(topic.AwaitRecords(60));
    AwaitSettled(true);
  }
  late->ExecuteScript("COMMIT");
  const auto relay = Follow();
  AppendNumbers(topic.name(), 61, 61);
  static_cast<void>(topic.AwaitRecords(62));
  AwaitCheckpointed(topic.name(), 62);
  const auto values = Values(topic.Read());
  EXPECT_EQ(values.size(), 62U);
  EXPECT_EQ(values[60], "\"late\"");
}

TEST_F(TableWritersTest, FollowsATableThatChangesItsColumns) {
  const Topic topic(1);
  const auto relay = Follow();
  AppendNumbers(topic.name(), 1, 1);
  static_cast<void>(topic.AwaitRecords(1));
  db_->ExecuteScript("ALTER TABLE auth.event_log ADD COLUMN extra text DEFAULT 'x'");
  AppendNumbers(topic.name(), 2, 2);
  EXPECT_EQ(Numbers(topic.AwaitRecords(2)), UpTo(2));
}

}  // namespace
}  // namespace countersign::relay
