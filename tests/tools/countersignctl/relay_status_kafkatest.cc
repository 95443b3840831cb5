// relay status: what it shows, and what it calls trouble.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "libs/metrics/endpoint.h"
#include "libs/metrics/registry.h"
#include "tests/services/outbox-relay/relaying.h"
#include "tests/tools/countersignctl/checkpoints.h"
#include "tools/countersignctl/relay_state.h"

namespace countersign::ctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class RelayStatusTest : public CheckpointTest {
 protected:
  [[nodiscard]] nlohmann::json Json() const {
    return nlohmann::json::parse(Ctl({"relay", "status", "--json"}).out);
  }
  // As a relay does that leads and streams.
  [[nodiscard]] std::unique_ptr<pg::ReplicationConnection> Lead() {
    auto relay = std::make_unique<pg::ReplicationConnection>(Settings());
    EXPECT_TRUE(relay->TryLock(slot_));
    relay->Start(slot_, {"countersign_auth", "countersign_otp"}, Lsn{});
    return relay;
  }
};

// A real relay between the real servers.
class HealthyRelayTest : public relay::RelayTest {
 protected:
  void SetUp() override {
    RelayTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    db_ = std::make_unique<pg::Connection>(Settings());
  }
  [[nodiscard]] Told Status(std::vector<std::string> more = {}) const {
    more.insert(more.begin(),
                {"relay", "status", "--slot", slot_, "--checkpoint-topic", checkpoints_->name()});
    return RunCtl(more, {{"DATABASE_URL", Conninfo()}, {"KAFKA_BROKERS", support::Brokers()}});
  }
};

TEST_F(HealthyRelayTest, ARelayThatRelaysIsWell) {
  const support::Topic topic;
  const auto relay = Start();
  Append({.topic = topic.name()});
  static_cast<void>(topic.AwaitRecords(1));
  Told told;
  nlohmann::json json;
  ASSERT_TRUE(support::Eventually([&] {
    told = Status({"--json"});
    json = nlohmann::json::parse(told.out);
    return json["checkpoint"].is_object() && json["checkpoint"]["settled"].is_object() &&
           json["checkpoint"]["offsets"].contains(topic.name());
  })) << told.out
      << told.err << relay->Log();
  EXPECT_EQ(told.exit, kOk) << told.out;
  EXPECT_EQ(json["trouble"], "");
  EXPECT_EQ(json["checkpoint"]["system_id"], json["system_id"]);
  EXPECT_EQ(json["checkpoint"]["timeline"], json["timeline"]);
  EXPECT_EQ(json["checkpoint"]["rebuilding"], false);
  EXPECT_EQ(json["checkpoint"]["offsets"][topic.name()], nlohmann::json({1}));
  EXPECT_EQ(json["leader_pid"], WalSender());
  EXPECT_TRUE(json["checkpoint_ahead_bytes"].is_number());

  const auto text = Status();
  EXPECT_EQ(text.exit, kOk);
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("leads (session "), HasSubstr("rebuilding no"),
                    HasSubstr("offsets    " + topic.name() + " 1\n"), Not(HasSubstr("trouble"))));
}

TEST_F(RelayStatusTest, ShowsTheCheckpointBesideTheServer) {
  MakeSlot();
  auto checkpoint = GoodCheckpoint();
  checkpoint.settled->snapshot = "700:712:704,705";
  Write(checkpoint);
  const auto relay = Lead();
  const auto told = Ctl({"relay", "status"});
  EXPECT_EQ(told.exit, kOk) << told.out << told.err;
  EXPECT_THAT(told.out, HasSubstr("system     " + checkpoint.system_id + " (the checkpoint's"));
  EXPECT_THAT(told.out, HasSubstr("timeline   1 (the checkpoint's"));
  EXPECT_THAT(told.out, HasSubstr("settled    700:712\n"));
  EXPECT_THAT(told.out, HasSubstr("offsets    auth.log 7 ? 9\n"));
  EXPECT_THAT(told.out, HasSubstr("checkpoint " + ToString(checkpoint.position)));
  relay->Finish(std::chrono::seconds(5));
}

TEST_F(RelayStatusTest, TellsHowFarCheckpointAndSlotAreApart) {
  MakeSlot();
  auto checkpoint = GoodCheckpoint();
  const auto confirmed = *ParseLsn(owner_->One<std::string>(
      "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1", slot_));
  checkpoint.position = Lsn{confirmed.value - 96};
  Write(checkpoint);
  EXPECT_EQ(Json()["checkpoint_ahead_bytes"], -96);
  EXPECT_THAT(Ctl({"relay", "status"}).out, HasSubstr("96 bytes of WAL behind the slot"));
  checkpoint.position = confirmed;
  Write(checkpoint);
  EXPECT_EQ(Json()["checkpoint_ahead_bytes"], 0);
}

TEST_F(RelayStatusTest, SaysThatThereIsNeitherSlotNorLeaderNorCheckpoint) {
  const auto told = Ctl({"relay", "status"});
  EXPECT_EQ(told.exit, kDiffers);
  EXPECT_THAT(told.out, AllOf(HasSubstr("there is no slot"), HasSubstr("no relay leads"),
                              HasSubstr("checkpoint none")));
  const auto json = Json();
  EXPECT_TRUE(json["checkpoint"].is_null());
  EXPECT_TRUE(json["leader_pid"].is_null());
  EXPECT_EQ(json["exists"], false);
  EXPECT_THAT(json["trouble"].get<std::string>(), HasSubstr("; "));
}

// The checkpoint alone is wrong in these three: slot and relay are well.
TEST_F(RelayStatusTest, ACheckpointOfAnotherDatabaseIsTrouble) {
  MakeSlot();
  auto checkpoint = GoodCheckpoint();
  checkpoint.system_id = "123";
  Write(checkpoint);
  const auto relay = Lead();
  const auto told = Ctl({"relay", "status"});
  EXPECT_EQ(told.exit, kDiffers);
  EXPECT_THAT(told.out, AllOf(HasSubstr("trouble    the checkpoint is of another database"),
                              HasSubstr("(the checkpoint has 123)")));
  relay->Finish(std::chrono::seconds(5));
}

TEST_F(RelayStatusTest, ACheckpointAheadOfTheServerIsTrouble) {
  MakeSlot();
  auto checkpoint = GoodCheckpoint();
  checkpoint.position.value += std::uint64_t{1} << 40;
  Write(checkpoint);
  const auto relay = Lead();
  const auto told = Ctl({"relay", "status"});
  EXPECT_EQ(told.exit, kDiffers);
  EXPECT_THAT(told.out, HasSubstr("trouble    the database is older than the checkpoint"));
  relay->Finish(std::chrono::seconds(5));
}

TEST_F(RelayStatusTest, ARebuildIsTrouble) {
  MakeSlot();
  auto checkpoint = GoodCheckpoint();
  checkpoint.rebuilding = true;
  Write(checkpoint);
  const auto relay = Lead();
  const auto told = Ctl({"relay", "status"});
  EXPECT_EQ(told.exit, kDiffers);
  EXPECT_THAT(told.out, AllOf(HasSubstr("rebuilding yes"), HasSubstr("trouble    the stream is")));
  EXPECT_EQ(Json()["checkpoint"]["rebuilding"], true);
  relay->Finish(std::chrono::seconds(5));
}

// After a promotion, until there is an event.
TEST_F(RelayStatusTest, ACheckpointOfAnOlderTimelineIsShownAndNoTrouble) {
  MakeSlot();
  auto checkpoint = GoodCheckpoint();
  checkpoint.timeline = 8;
  Write(checkpoint);
  const auto relay = Lead();
  const auto told = Ctl({"relay", "status"});
  EXPECT_EQ(told.exit, kOk) << told.out;
  EXPECT_THAT(told.out, HasSubstr("timeline   1 (the checkpoint has 8)"));
  relay->Finish(std::chrono::seconds(5));
}

TEST_F(RelayStatusTest, ALeaderThatDoesNotStreamIsTrouble) {
  MakeSlot();
  pg::ReplicationConnection relay(Settings());
  ASSERT_TRUE(relay.TryLock(slot_));
  const auto told = Ctl({"relay", "status"});
  EXPECT_EQ(told.exit, kDiffers);
  EXPECT_THAT(told.out, AllOf(HasSubstr("leads (session "), HasSubstr("does not stream"),
                              Not(HasSubstr("no relay leads"))));
}

// The hash in the lock has a sign and half of all names a negative one.
TEST_F(RelayStatusTest, FindsTheLeaderOfEveryName) {
  pg::Connection connection(Settings());
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    const std::string slot = slot_ + name;
    EXPECT_FALSE(ReadServer(connection, slot).leader_pid);
    pg::ReplicationConnection relay(Settings());
    ASSERT_TRUE(relay.TryLock(slot));
    EXPECT_TRUE(ReadServer(connection, slot).leader_pid) << slot;
  }
}

TEST_F(RelayStatusTest, AsksTheMetricsOfTheRelay) {
  metrics::Registry registry;
  registry.AddGauge("relay_lag_seconds", "Lag").Set(2.5);
  const metrics::Endpoint endpoint("127.0.0.1:0", registry, [] { return ""; });
  const auto told = Ctl({"relay", "status", "--relay-metrics", endpoint.address()});
  EXPECT_THAT(told.out, HasSubstr("lag        2.500 s"));
  EXPECT_TRUE(Json()["lag_seconds"].is_null());
}

TEST_F(RelayStatusTest, WhatLiesInKafkaCannotReachTheTerminal) {
  auto checkpoint = GoodCheckpoint();
  checkpoint.system_id = "1\x1b[31m\n2";
  checkpoint.offsets = {{"\x1b[31m", {1}}};
  checkpoint.settled->snapshot = "\x1b[31m:1:";
  Write(checkpoint);
  EXPECT_EQ(Ctl({"relay", "status"}).out.find('\x1b'), std::string::npos);
  EXPECT_EQ(Ctl({"relay", "status", "--json"}).out.find('\x1b'), std::string::npos);
}

TEST_F(RelayStatusTest, ATopicThatDoesNotExistIsNamed) {
  const auto told = RunCtl({"relay", "status", "--checkpoint-topic", "no.such.topic"},
                           {{"DATABASE_URL", Conninfo()}, {"KAFKA_BROKERS", support::Brokers()}});
  EXPECT_EQ(told.exit, kFailed);
  EXPECT_THAT(told.err, HasSubstr("no.such.topic"));
  EXPECT_THAT(told.out, IsEmpty());
}

}  // namespace
}  // namespace countersign::ctl
