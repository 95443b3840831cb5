// relay replay between a real database and a real Kafka.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "tests/services/outbox-relay/relaying.h"
#include "tests/tools/countersignctl/ctl_run.h"
#include "tools/countersignctl/replayer.h"

namespace countersign::ctl {
namespace {

using namespace std::chrono_literals;
using support::Topic;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ReplayTest : public relay::RelayTest {
 protected:
  void SetUp() override {
    RelayTest::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) Connect();
  }
  static Told Replay(std::vector<std::string> more) {
    more.insert(more.begin(), {"relay", "replay"});
    return RunCtl(more, {{"DATABASE_URL", Conninfo()}, {"KAFKA_BROKERS", support::Brokers()}});
  }
  [[nodiscard]] long IdOf(const std::string& topic, int seq) const {
    return Scalar<long>("SELECT id FROM auth.event_log WHERE topic = '" + topic +
                        "' AND seq = " + std::to_string(seq));
  }
  [[nodiscard]] std::string EventIdOf(const std::string& topic, int seq) const {
    return Scalar<std::string>("SELECT event_id FROM auth.event_log WHERE topic = '" + topic +
                               "' AND seq = " + std::to_string(seq));
  }
};

using Headers = std::vector<std::pair<std::string, std::string>>;

Headers Without(Headers headers, const std::string& name) {
  std::erase_if(headers, [&](const auto& header) { return header.first == name; });
  return headers;
}

TEST_F(ReplayTest, TheRecordIsAsTheRelayMadeItAndMarked) {
  const Topic topic(3);
  const auto relay = Start();
  for (int i = 1; i <= 3; ++i) {
    Append({.topic = topic.name(),
            .key = "user-" + std::to_string(i),
            .payload = R"({"b": 1,  "a":"\u00e4ä"})",
            .headers = R"({"traceparent": "00-abc"})",
            .seq = i});
  }
  const auto before = topic.AwaitRecords(3);
  auto id = EventIdOf(topic.name(), 2);
  std::ranges::transform(id, id.begin(), [](char c) { return static_cast<char>(std::toupper(c)); });
  const auto told = Replay({"--event-id", id, "--topic", topic.name()});
  EXPECT_EQ(told.exit, kOk) << told.err;
  EXPECT_THAT(told.out, AllOf(HasSubstr("1  " + topic.name()), HasSubstr("auth.event_log")));
  std::vector<support::Record> same;
  for (const auto& record : topic.AwaitRecords(4)) {
    if (record.key == "user-2") same.push_back(record);
  }
  ASSERT_THAT(same, SizeIs(2));
  EXPECT_EQ(same[0].value, same[1].value);
  EXPECT_EQ(same[0].partition, same[1].partition);
  auto expected = Without(same[0].headers, "commit_lsn");
  expected.emplace_back("replay", "1");
  EXPECT_EQ(same[1].headers, expected);
}

TEST_F(ReplayTest, RowsGoInTheOrderOfTheirIdsOverManyPages) {
  const Topic topic;
  AppendNumbers(topic.name(), 1, 2500);
  const auto told = Replay({"--since", "10m", "--topic", topic.name(), "--yes"});
  EXPECT_EQ(told.exit, kOk) << told.err;
  EXPECT_EQ(Numbers(topic.Read()), UpTo(2500));
}

TEST_F(ReplayTest, ConditionsAreCombined) {
  const Topic topic;
  const Topic other;
  for (int i = 1; i <= 6; ++i) {
    Append({.topic = i == 6 ? other.name() : topic.name(),
            .key = i % 2 == 0 ? "even" + topic.name() : "odd" + topic.name(),
            .payload = "\"" + std::to_string(i) + "\"",
            .seq = i});
  }
  const auto ids =
      std::to_string(IdOf(topic.name(), 2)) + "-" + std::to_string(IdOf(other.name(), 6));
  const auto told = Replay({"--ids", ids, "--key", "even" + topic.name(), "--until", "0s",
                            "--topic", topic.name() + ",nonsense"});
  EXPECT_EQ(told.exit, kOk) << told.err;
  EXPECT_THAT(topic.Values(), testing::ElementsAre("\"2\"", "\"4\""));
  EXPECT_THAT(other.Values(), IsEmpty());
  EXPECT_EQ(Replay({"--ids", ids, "--key", "nobody"}).exit, kFailed);
  EXPECT_EQ(Replay({"--ids", ids, "--until", "1h", "--key", "even" + topic.name()}).exit, kFailed);
}

TEST_F(ReplayTest, ADryRunCountsAndProducesNothing) {
  const Topic topic;
  AppendNumbers(topic.name(), 1, 1500);
  const auto told = Replay({"--since", "10m", "--topic", topic.name(), "--dry-run", "--json"});
  EXPECT_EQ(told.exit, kOk) << told.err;
  const auto json = nlohmann::json::parse(told.out);
  EXPECT_EQ(json["rows"], 1500);
  EXPECT_EQ(json["topics"][topic.name()], 1500);
  EXPECT_EQ(json["dry_run"], true);
  EXPECT_THAT(topic.Read(), IsEmpty());
}

TEST_F(ReplayTest, MoreThanAThousandRowsNeedAYesWhereNobodyCanBeAsked) {
  const Topic topic;
  AppendNumbers(topic.name(), 1, 1001);
  const int terminal = dup(STDIN_FILENO);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(nothing, STDIN_FILENO);
  const auto told = Replay({"--since", "10m", "--topic", topic.name()});
  dup2(terminal, STDIN_FILENO);
  close(nothing);
  close(terminal);
  EXPECT_EQ(told.exit, kUsage);
  EXPECT_THAT(told.err, AllOf(HasSubstr("1001"), HasSubstr("--yes")));
  EXPECT_THAT(topic.Read(), IsEmpty());
}

TEST_F(ReplayTest, AnotherTopicMayBeNamed) {
  const Topic topic;
  const Topic other;
  AppendNumbers(topic.name(), 1, 3);
  const auto told = Replay({"--since", "10m", "--topic", topic.name(), "--to-topic", other.name()});
  EXPECT_EQ(told.exit, kOk) << told.err;
  EXPECT_THAT(told.out, HasSubstr(other.name()));
  EXPECT_EQ(Numbers(other.Read()), UpTo(3));
  EXPECT_THAT(topic.Read(), IsEmpty());
}

TEST_F(ReplayTest, TheEventThatKafkaRefusesIsNamed) {
  const Topic topic(1, {{"max.message.bytes", "2000"}});
  AppendNumbers(topic.name(), 1, 2);
  AppendNumbers(topic.name(), 3, 3, 10'000);
  AppendNumbers(topic.name(), 4, 6);
  const auto refused = Replay({"--since", "10m", "--topic", topic.name()});
  EXPECT_EQ(refused.exit, kFailed);
  EXPECT_THAT(refused.err, AllOf(HasSubstr(EventIdOf(topic.name(), 3)),
                                 HasSubstr("up to id " + std::to_string(IdOf(topic.name(), 2)))));
  // The others of its batch are no reason to name them, nor to bring them twice.
  EXPECT_EQ(Numbers(topic.Read()), UpTo(2));
  const auto nowhere =
      Replay({"--since", "10m", "--topic", topic.name(), "--to-topic", support::TopicName()});
  EXPECT_EQ(nowhere.exit, kFailed);
  EXPECT_THAT(nowhere.err,
              AllOf(HasSubstr(EventIdOf(topic.name(), 1)), HasSubstr("there is no topic")));
}

TEST_F(ReplayTest, ABatchThatIsTooLargeForTheTopicIsSentInParts) {
  const Topic topic(1, {{"max.message.bytes", "2000"}});
  AppendNumbers(topic.name(), 1, 200);
  const auto told = Replay({"--since", "10m", "--topic", topic.name()});
  EXPECT_EQ(told.exit, kOk) << told.err;
  EXPECT_THAT(told.out, HasSubstr("200  " + topic.name()));
  EXPECT_EQ(Numbers(topic.Read()), UpTo(200));
}

TEST_F(ReplayTest, CtrlCEndsItAndItGoesOnWhereItSaid) {
  constexpr int kRows = 400;
  const Topic topic;
  AppendNumbers(topic.name(), 1, kRows);
  Told told;
  std::thread replaying([&] {
    told = Replay({"--since", "10m", "--topic", topic.name(), "--rate", "50"});
  });
  EXPECT_THAT(topic.AwaitRecords(20), testing::Not(IsEmpty()));
  std::raise(SIGINT);
  replaying.join();
  EXPECT_EQ(told.exit, kInterrupted) << told.err;
  const auto first = topic.Read().size();
  EXPECT_LT(first, static_cast<std::size_t>(kRows)) << "--rate was not kept";
  const auto at = told.err.find("--ids ");
  ASSERT_NE(at, std::string::npos) << told.err;
  const auto ids = told.err.substr(at + 6, told.err.find(' ', at + 6) - at - 6);
  EXPECT_EQ(Replay({"--ids", ids, "--topic", topic.name()}).exit, kOk);
  EXPECT_EQ(Numbers(topic.Read()), UpTo(kRows));
}

TEST_F(ReplayTest, AnotherServicesTableIsReadByTheRelaysConfiguration) {
  const Topic topic;
  db_->ExecuteScript(
      "CREATE SCHEMA \"Odd\"; CREATE TABLE \"Odd\".\"out \"\"box\" (\"the id\" bigint, uid text, "
      "stream text, \"Order'No\" text, body text, kind text); INSERT INTO \"Odd\".\"out \"\"box\" "
      "VALUES (7, 'e-7', '" +
      topic.name() + "', 'k', 'plain text', 'order.made')");
  const auto file = std::filesystem::temp_directory_path() / (topic.name() + ".yaml");
  std::ofstream(file) << "slot: shop\nsource_prefix: /example/\ncolumns:\n  event_id: uid\n"
                         "  topic: stream\n  key: \"Order'No\"\n  payload: body\n"
                         "  id: the id\n  type: kind\n  required: [id, type]\n";
  const auto told = Replay({"--table", "Odd.out \"box", "--relay-config", file.string(),
                            "--event-id", "e-7", "--key", "k", "--ids", "0-9"});
  const auto timed =
      Replay({"--table", "Odd.out \"box", "--relay-config", file.string(), "--since", "1h"});
  std::filesystem::remove(file);
  EXPECT_EQ(told.exit, kOk) << told.err;
  const auto records = topic.Read();
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].value, "plain text");
  EXPECT_EQ(records[0].Header("ce_source"), "/example/Odd");
  EXPECT_EQ(records[0].Header("outbox_id"), "7");
  EXPECT_EQ(records[0].Header("replay"), "1");
  EXPECT_EQ(timed.exit, kFailed);
  EXPECT_THAT(timed.err, HasSubstr("no column of time"));
}

TEST_F(ReplayTest, ATableThatIsNotThereIsNamed) {
  const auto told = Replay({"--table", "auth.nothing", "--ids", "1-2"});
  EXPECT_EQ(told.exit, kFailed);
  EXPECT_THAT(told.err, HasSubstr("there is no table auth.nothing"));
  const auto other = Replay({"--table", "auth.users", "--ids", "1-2"});
  EXPECT_EQ(other.exit, kFailed);
  EXPECT_THAT(other.err, HasSubstr("has no column"));
}

class ReplayerTest : public support::KafkaTest {
 protected:
  [[nodiscard]] bool Produce(std::int64_t id) {
    relay::OutboxRow row;
    row.event_id = "e";
    row.topic = topic_.name();
    row.key = "k";
    return replayer_.Produce(row, id);
  }
  const Topic topic_;
  Replayer replayer_{support::Cluster(), "/test", "", [] { return true; }};
};

TEST_F(ReplayerTest, WhatKafkaHasNotAcknowledgedIsNotDone) {
  EXPECT_EQ(replayer_.done_until(), -1);
  ASSERT_TRUE(Produce(5));
  EXPECT_EQ(replayer_.done_until(), 4);
  ASSERT_TRUE(replayer_.Finish(10s));
  EXPECT_EQ(replayer_.done_until(), 5);
  EXPECT_EQ(replayer_.acknowledged(), 1);
}

TEST_F(ReplayerTest, WhatKafkaHasIsNotSentAgainAfterARefusal) {
  ASSERT_TRUE(Produce(5));
  ASSERT_TRUE(Produce(6));
  replayer_.BeginAnew();
  EXPECT_EQ(replayer_.done_until(), 6);
  EXPECT_FALSE(replayer_.OneByOne());
  for (const std::int64_t id : {5, 6, 7}) ASSERT_TRUE(Produce(id));
  ASSERT_TRUE(replayer_.Finish(10s));
  EXPECT_THAT(topic_.Read(), SizeIs(3));
}

}  // namespace
}  // namespace countersign::ctl
