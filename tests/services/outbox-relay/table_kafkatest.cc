// The tables as source: where it begins, what it remembers, who leads, and what it needs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "libs/kafka/producer.h"
#include "tests/services/outbox-relay/following.h"

namespace countersign::relay {
namespace {

using namespace std::chrono_literals;
using support::Eventually;
using support::Topic;
using testing::HasSubstr;

// Of this process.
std::size_t ResidentBytes() {
  std::size_t total = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * 4096;
}

class TableSourceTest : public TableTest {
 protected:
  void WriteCheckpoint(const Checkpoint& checkpoint) {
    kafka::ProducerSettings settings;
    settings.client = support::Cluster();
    kafka::Producer producer(settings);
    kafka::Headers headers;
    const std::string value = ToJson(checkpoint);
    ASSERT_EQ(
        producer.Produce({.topic = checkpoints_->name(), .key = slot_, .value = value, .token = 0},
                         headers),
        kafka::Produced::kQueued);
    ASSERT_TRUE(producer.Flush(10s, [](const auto&) {}));
  }
  void ExpectRefused(const Checkpoint& checkpoint, const std::string& why) {
    WriteCheckpoint(checkpoint);
    RunningRelay relay(FromTables());
    EXPECT_TRUE(Eventually([&] { return relay.Health().find(why) != std::string::npos; }))
        << relay.Health();
  }
};

TEST_F(TableSourceTest, TheFirstStartRelaysWhatWasCommittedBeforeIt) {
  const Topic topic(1);
  AppendNumbers(topic.name(), 1, 2'500);
  const auto relay = Follow();
  AppendNumbers(topic.name(), 2'501, 2'510);
  EXPECT_EQ(Numbers(topic.AwaitRecords(2'510)), UpTo(2'510));
}

TEST_F(TableSourceTest, AFirstStartFromNowLeavesItOutAndIsRemembered) {
  const Topic topic(1);
  AppendNumbers(topic.name(), 1, 10);
  auto settings = FromTables();
  settings.first_start = FirstStart::kNow;
  { const auto relay = Follow(settings); }
  AppendNumbers(topic.name(), 11, 12);
  const auto relay = Follow(settings);
  EXPECT_EQ(Numbers(topic.AwaitRecords(2)), (std::vector<int>{11, 12}));
}

TEST_F(TableSourceTest, ARestartLosesAndDoublesNothing) {
  const Topic topic(1);
  {
    const auto relay = Follow();
    AppendNumbers(topic.name(), 1, 10);
    AwaitCheckpointed(topic.name(), 10);
  }
  AppendNumbers(topic.name(), 11, 20);
  const auto relay = Follow();
  AppendNumbers(topic.name(), 21, 30);
  static_cast<void>(topic.AwaitRecords(30));
  AwaitCheckpointed(topic.name(), 30);
  EXPECT_EQ(Numbers(topic.Read()), UpTo(30));
}

// As after a crash: the checkpoint is older than what Kafka has.
TEST_F(TableSourceTest, LeavesOutWhatKafkaHasBehindTheCheckpoint) {
  const Topic topic(1);
  Checkpoint old;
  {
    const auto relay = Follow();
    AppendNumbers(topic.name(), 1, 10);
    AwaitCheckpointed(topic.name(), 10);
    old = Newest();
    AppendNumbers(topic.name(), 11, 20);
    AwaitCheckpointed(topic.name(), 20);
  }
  WriteCheckpoint(old);
  AppendNumbers(topic.name(), 21, 25);
  const auto relay = Follow();
  static_cast<void>(topic.AwaitRecords(25));
  AwaitCheckpointed(topic.name(), 25);
  EXPECT_EQ(Numbers(topic.Read()), UpTo(25));
  EXPECT_THAT(relay->Log(), HasSubstr("\"in_kafka_already\":10"));
}

// There and back: each goes on where the other one stopped.
TEST_F(TableSourceTest, TheSourceCanBeChangedWithoutLossAndDoubling) {
  const Topic topic(1);
  {
    const auto relay = Start(FromTheFirstEvent());
    AppendNumbers(topic.name(), 1, 10);
    AwaitSettled();
  }
  AppendNumbers(topic.name(), 11, 15);
  {
    const auto relay = Follow();
    AppendNumbers(topic.name(), 16, 20);
    AwaitCheckpointed(topic.name(), 20);
  }
  EXPECT_TRUE(Newest().rebuilding) << "the slot must not be taken for one that has everything";
  AppendNumbers(topic.name(), 21, 25);
  const auto relay = Start(FromTheFirstEvent());
  EXPECT_THAT(relay->Log(), HasSubstr("relaying what the tables have and kafka has not"));
  AppendNumbers(topic.name(), 26, 30);
  static_cast<void>(topic.AwaitRecords(30));
  AwaitSettled();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(30));
}

TEST_F(TableSourceTest, ACheckpointThatDoesNotFitTheDatabaseIsRefused) {
  const auto server = pg::TableReader(DatabaseSettings(), {}).Identify();
  const Checkpoint fitting{.system_id = server.system_id,
                           .timeline = server.timeline,
                           .position = Lsn{1},
                           .settled = SettledPoint{.snapshot = "3:3:"},
                           .rebuilding = true};
  Checkpoint checkpoint = fitting;
  checkpoint.system_id = "42";
  ExpectRefused(checkpoint, "another database");
  checkpoint = fitting;
  checkpoint.timeline += 1;
  ExpectRefused(checkpoint, "was promoted");
  checkpoint = fitting;
  checkpoint.settled->snapshot = "3:9000000000:";
  ExpectRefused(checkpoint, "older than the checkpoint's snapshot");
  checkpoint = fitting;
  checkpoint.settled.reset();
  checkpoint.rebuilding = false;
  ExpectRefused(checkpoint, "no snapshot");
  WriteCheckpoint(fitting);
  const auto relay = Follow();
}

TEST_F(TableSourceTest, RowsThatWereRestoredFromAnotherServerAreRefused) {
  db_->ExecuteScript(
      "INSERT INTO auth.event_log (xid, event_id, topic, key, type, seq, payload) VALUES "
      "('9000000000', gen_random_uuid(), 'topic', 'k', 't', 1, '1')");
  RunningRelay relay(FromTables());
  EXPECT_TRUE(Eventually([&] {
    return relay.Health().find("restored from another one") != std::string::npos;
  })) << relay.Health();
}

TEST_F(TableSourceTest, ASecondRelayStandsByAndTakesOver) {
  const Topic topic(1);
  auto first = Follow();
  const int leader = Leader();
  RunningRelay second(FromTables());
  EXPECT_TRUE(Eventually([&] { return second.Log().find("standing by") != std::string::npos; }));
  EXPECT_EQ(second.Health(), "");
  AppendNumbers(topic.name(), 1, 200);
  AwaitCheckpointed(topic.name(), 200);
  EXPECT_EQ(Leader(), leader);
  first->Stop();
  EXPECT_TRUE(Eventually([&] { return IsFollowing(second); }));
  EXPECT_EQ(second.Gauge("relay_leader"), 1);
  AppendNumbers(topic.name(), 201, 400);
  AwaitCheckpointed(topic.name(), 400);
  EXPECT_EQ(Numbers(topic.Read()), UpTo(400)) << "in order, each of them once";
}

TEST_F(TableSourceTest, ALeaderThatGivesNoSignOfLifeIsCutOff) {
  auto settings = FromTables();
  settings.takeover_after = 1s;
  pg::TableReader frozen(DatabaseSettings(), {});
  ASSERT_TRUE(frozen.TryLock(slot_));
  frozen.EndIdleAfter(settings.takeover_after);
  static_cast<void>(frozen.Open({}));
  const auto began = std::chrono::steady_clock::now();
  const auto relay = Follow(settings);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 4s);
  EXPECT_THROW(frozen.Ping(), pg::ReplicationFault);
}

TEST_F(TableSourceTest, KeepsItsConnectionWhileAnEventIsHeld) {
  const std::string missing = support::TopicName();
  auto settings = FromTables();
  settings.takeover_after = 1s;
  const auto relay = Follow(settings);
  const int leader = Leader();
  AppendNumbers(missing, 1, 3);
  ASSERT_TRUE(Eventually([&] { return !relay->Health().empty(); }));
  ASSERT_TRUE(Eventually([&] { return relay->LagSeconds() > 3; })) << "no alarm";
  EXPECT_EQ(Leader(), leader);
  support::Create(missing, 1);
  EXPECT_TRUE(Eventually([&] { return relay->Health().empty(); }));
  AwaitCheckpointed(missing, 3);
  EXPECT_EQ(Leader(), leader);
  EXPECT_EQ(relay->Reconnects("connection_lost"), 0);
  support::Delete(missing);
}

TEST_F(TableSourceTest, OutlivesATerminatedConnectionAtAnyMoment) {
  constexpr int kEvents = 300;
  const Topic topic(1);
  const auto relay = Follow();
  for (int i = 1; i <= kEvents; ++i) {
    AppendNumbers(topic.name(), i, i);
    if (i % 50 == 0) {
      ASSERT_TRUE(Eventually([&] { return Leader() != 0; }));
      static_cast<void>(
          Scalar<int>("SELECT pg_terminate_backend(" + std::to_string(Leader()) + ")::int"));
    }
  }
  static_cast<void>(topic.AwaitRecords(kEvents));
  AwaitCheckpointed(topic.name(), kEvents);
  EXPECT_EQ(Numbers(topic.Read()), UpTo(kEvents));
}

TEST_F(TableSourceTest, ABigDifferenceIsBroughtInOrderWithinBoundedMemory) {
  constexpr int kRows = 100'000;
  constexpr int kBytes = 1'000;
  const Topic topic(1);
  auto settings = FromTables();
  settings.kafka.queue_kbytes = 8 * 1024;
  for (int i = 0; i < 10; ++i) {
    AppendNumbers(topic.name(), 1 + i * kRows / 10, (i + 1) * kRows / 10, kBytes);
  }
  std::size_t most = 0;
  const std::size_t before = ResidentBytes();
  const auto relay = Follow(settings);
  ASSERT_TRUE(Eventually(
      [&] {
        most = std::max(most, ResidentBytes());
        return Newest().settled.has_value();
      },
      120s));
  AwaitCheckpointed(topic.name(), kRows);
  RecordProperty("grown_bytes", std::to_string(most - before));
#ifndef __SANITIZE_ADDRESS__  // which keeps freed memory
  EXPECT_LT(most - before, std::size_t{64} * 1024 * 1024);
#endif
  EXPECT_EQ(Numbers(topic.Read()), UpTo(kRows));
}

TEST_F(TableSourceTest, DB1_NeedsNoReplicationRightsAndNoMoreThanToRead) {
  const Topic topic(1);
  const std::string role = "table_" + slot_.substr(6);
  db_->ExecuteScript("CREATE ROLE " + role + "; GRANT USAGE ON SCHEMA auth, otp TO " + role +
                     "; GRANT SELECT ON auth.event_log, otp.event_log TO " + role);
  auto settings = FromTables();
  settings.database.conninfo = Secret<std::string>(
      pg::WithKeyword(DatabaseSettings().conninfo.Reveal(), "options", "-c role=" + role));
  {
    const auto relay = Follow(settings);
    AppendNumbers(topic.name(), 1, 10);
    static_cast<void>(topic.AwaitRecords(10));
    AwaitCheckpointed(topic.name(), 10);
    EXPECT_EQ(Scalar<int>("SELECT count(*)::int FROM pg_replication_slots WHERE slot_name = '" +
                          slot_ + "'"),
              0);
  }
  db_->ExecuteScript("REVOKE SELECT ON otp.event_log FROM " + role);
  {
    RunningRelay relay(settings);
    EXPECT_TRUE(Eventually([&] {
      return relay.Health().find("permission denied for table event_log") != std::string::npos;
    })) << relay.Health();
  }
  db_->ExecuteScript("DROP OWNED BY " + role + "; DROP ROLE " + role);
}

TEST_F(TableSourceTest, StopsAtOnceWhileTheServerIsBusyWithAQuestion) {
  auto settings = FromTables();
  settings.database.lock_timeout = 60s;
  const auto blocking = Session();
  blocking->ExecuteScript("BEGIN; LOCK TABLE auth.event_log");
  RunningRelay relay(settings);
  ASSERT_TRUE(Eventually(
      [&] { return Scalar<int>("SELECT count(*)::int FROM pg_locks WHERE NOT granted") > 0; }));
  EXPECT_LT(relay.Stop(), 3s);
}

}  // namespace
}  // namespace countersign::relay
