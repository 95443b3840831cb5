// What a restarted relay brings, and what it leaves out because Kafka has it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "libs/kafka/producer.h"
#include "services/outbox-relay/checkpoint_log.h"
#include "tests/services/outbox-relay/relaying.h"

namespace countersign::relay {
namespace {

using support::Eventually;
using support::Topic;
using testing::HasSubstr;

class ResumeTest : public RelayTest {
 protected:
  void SetUp() override {
    RelayTest::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) Connect();
  }

  // What a relay that was killed may have left in Kafka without a checkpoint: the events of that
  // topic that are in the log, with their real ids and a position.
  void LeaveInKafka(const std::string& topic, int first, int last, const std::string& extra = {}) {
    const auto rows = db_->Execute(
        {"ids",
         "SELECT event_id::text, payload::text FROM auth.event_log WHERE topic = $1 AND "
         "seq BETWEEN $2 AND $3 ORDER BY id"},
        topic, first, last);
    kafka::ProducerSettings settings;
    settings.client = support::Cluster();
    kafka::Producer producer(settings);
    const std::string position = ToString(Now());
    for (const auto& row : rows) {
      const auto id = row.Get<std::string>(0);
      const auto payload = row.Get<std::string>(1);
      kafka::Headers headers;
      headers.Add("ce_id", id);
      headers.Add("commit_lsn", position);
      if (!extra.empty()) headers.Add(extra, "1");
      while (producer.Produce({.topic = topic, .key = "k", .value = payload, .token = 0},
                              headers) != kafka::Produced::kQueued) {
        static_cast<void>(producer.Flush(std::chrono::milliseconds{100}, [](const auto&) {}));
      }
    }
    ASSERT_TRUE(producer.Flush(std::chrono::seconds{10}, [](const auto&) {}));
  }
  void WriteCheckpoint(const std::string& value) {
    kafka::ProducerSettings settings;
    settings.client = support::Cluster();
    kafka::Producer producer(settings);
    kafka::Headers headers;
    ASSERT_EQ(
        producer.Produce({.topic = checkpoints_->name(), .key = slot_, .value = value, .token = 0},
                         headers),
        kafka::Produced::kQueued);
    ASSERT_TRUE(producer.Flush(std::chrono::seconds{10}, [](const auto&) {}));
  }
  [[nodiscard]] Checkpoint NewestCheckpoint() const {
    TailReader reader(support::Cluster());
    return ReadCheckpoint(reader, checkpoints_->name(), slot_).value_or(Checkpoint{});
  }
  void AwaitConfirmed() {
    const Lsn end = Now();
    ASSERT_TRUE(Eventually([&] { return Confirmed() >= end; }));
  }
  // Starts a relay after the checkpoint was changed, and expects that it relays nothing and says
  // why.
  void ExpectRefused(const std::string& why) {
    const Topic topic;
    AppendNumbers(topic.name(), 1, 1);
    RunningRelay relay(MakeSettings());
    ASSERT_TRUE(Eventually([&] { return relay.Health().find(why) != std::string::npos; }))
        << relay.Health();
    EXPECT_TRUE(topic.Read().empty());
    EXPECT_EQ(WalSender(), 0);
  }
};

TEST_F(ResumeTest, LeavesOutWhatKafkaHasBehindTheCheckpoint) {
  const Topic topic(1);
  {
    const auto relay = Start();
    AppendNumbers(topic.name(), 1, 10);
    AwaitConfirmed();
  }
  EXPECT_GE(NewestCheckpoint().position, Lsn{1});
  EXPECT_EQ(NewestCheckpoint().offsets.at(topic.name()), std::vector<std::int64_t>{10});
  AppendNumbers(topic.name(), 11, 20);
  LeaveInKafka(topic.name(), 11, 14);
  const auto relay = Start();
  AwaitConfirmed();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(20));
  EXPECT_THAT(relay->Log(), HasSubstr("\"in_kafka_already\":4"));
}

TEST_F(ResumeTest, LooksIntoATopicThatNoCheckpointKnows) {
  const Topic topic(3);
  { const auto relay = Start(); }
  AppendNumbers(topic.name(), 1, 10);
  LeaveInKafka(topic.name(), 1, 6);
  const auto relay = Start();
  AwaitConfirmed();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(10));
  EXPECT_THAT(relay->Log(), HasSubstr("reading a topic from its beginning"));
}

TEST_F(ResumeTest, WhatWasReplayedOnPurposeIsNotTakenForTheEvent) {
  const Topic topic(1);
  { const auto relay = Start(); }
  AppendNumbers(topic.name(), 1, 5);
  LeaveInKafka(topic.name(), 1, 5, "replay");
  const auto relay = Start();
  AwaitConfirmed();
  EXPECT_EQ(topic.Read().size(), 10U);
}

TEST_F(ResumeTest, AtLeastOnceBringsItAgain) {
  const Topic topic(1);
  auto settings = MakeSettings();
  settings.promise = Promise::kAtLeastOnce;
  { const auto relay = Start(settings); }
  AppendNumbers(topic.name(), 1, 5);
  LeaveInKafka(topic.name(), 1, 5);
  const auto relay = Start(settings);
  AwaitConfirmed();
  EXPECT_EQ(topic.Read().size(), 10U);
  EXPECT_EQ(NewestCheckpoint().position, Lsn{});
}

TEST_F(ResumeTest, ATopicThatWasMadeAnewIsReadFromItsBeginningAndReported) {
  const std::string name = support::TopicName();
  support::Create(name, 1);
  {
    const auto relay = Start();
    AppendNumbers(name, 1, 10);
    AwaitConfirmed();
  }
  support::Delete(name);
  ASSERT_TRUE(Eventually([&] {
    try {
      support::Create(name, 1);
      return true;
    } catch (const kafka::Fault&) {
      return false;
    }
  }));
  AppendNumbers(name, 11, 15);
  LeaveInKafka(name, 11, 12);
  const auto relay = Start();
  AwaitConfirmed();
  EXPECT_THAT(relay->Log(), HasSubstr("was made anew or has lost events"));
  TailReader reader(support::Cluster());
  int records = 0;
  EXPECT_EQ(reader.Read(name, {}, [&](const auto&) { ++records; }), Tail::kRead);
  EXPECT_EQ(records, 5);
  support::Delete(name);
}

TEST_F(ResumeTest, ACheckpointAheadOfTheServerIsRefused) {
  { const auto relay = Start(); }
  const auto server = pg::ReplicationConnection(DatabaseSettings()).Identify();
  WriteCheckpoint(ToJson({.system_id = server.system_id,
                          .timeline = server.timeline,
                          .position = Lsn{server.flushed.value + (1ULL << 40)}}));
  ExpectRefused("checkpoint_refused");
}

TEST_F(ResumeTest, ACheckpointOfAnotherDatabaseIsRefused) {
  { const auto relay = Start(); }
  const auto server = pg::ReplicationConnection(DatabaseSettings()).Identify();
  WriteCheckpoint(
      ToJson({.system_id = "42", .timeline = server.timeline, .position = server.flushed}));
  ExpectRefused("checkpoint_refused");
  WriteCheckpoint(ToJson({.system_id = server.system_id,
                          .timeline = server.timeline + 1,
                          .position = server.flushed}));
  ExpectRefused("checkpoint_refused");
}

TEST_F(ResumeTest, ACheckpointThatCannotBeReadIsRefused) {
  { const auto relay = Start(); }
  WriteCheckpoint("{}");
  ExpectRefused("cannot be read");
}

TEST_F(ResumeTest, ATombstoneMakesTheRelayForget) {
  { const auto relay = Start(); }
  WriteCheckpoint(ToJson({.system_id = "42", .timeline = 1, .position = Lsn{1}}));
  WriteCheckpoint("");
  const Topic topic;
  const auto relay = Start();
  AppendNumbers(topic.name(), 1, 3);
  EXPECT_EQ(Numbers(topic.AwaitRecords(3)), UpTo(3));
}

}  // namespace
}  // namespace countersign::relay
