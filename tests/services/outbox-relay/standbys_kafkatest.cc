// wait_for_standbys: Kafka has nothing that a failover could take back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/services/outbox-relay/own_database.h"

namespace countersign::relay {
namespace {

using namespace std::chrono_literals;
using support::Eventually;
using support::Topic;
using testing::HasSubstr;
using testing::IsEmpty;

// The slots of the standbys are moved by hand, as PostgreSQL moves them when a standby says what it
// has on disk.
class StandbysTest : public OwnDatabaseTest {
 protected:
  void SetUp() override {
    OwnDatabaseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    for (const auto& name : {Near(), Far()}) MakeStandby(name);
  }
  void TearDown() override {
    if (db_) {
      for (const auto& name : {Near(), Far()}) LoseStandby(name);
    }
    OwnDatabaseTest::TearDown();
  }
  [[nodiscard]] std::string Near() const { return slot_ + "_near"; }
  [[nodiscard]] std::string Far() const { return slot_ + "_far"; }
  void MakeStandby(const std::string& name) const {
    EXPECT_EQ(
        Scalar<int>("SELECT 1 FROM pg_create_physical_replication_slot('" + name + "', true)"), 1);
  }
  void LoseStandby(const std::string& name) const {
    static_cast<void>(Scalar<int>(
        "SELECT count(pg_drop_replication_slot(slot_name))::int FROM pg_replication_slots WHERE "
        "slot_name = '" +
        name + "'"));
  }
  // It has everything that is written now.
  void CatchUp(const std::string& name) const {
    const Lsn end = Now();
    EXPECT_TRUE(Eventually([&] { return Advance(*db_, name) >= end; }));
  }
  // A standby that runs: it has whatever is written, a moment later.
  [[nodiscard]] std::jthread Follow(const std::string& name) const {
    return std::jthread([this, name](const std::stop_token& stop) {
      pg::Connection db(DatabaseSettings());
      while (!stop.stop_requested()) {
        static_cast<void>(Advance(db, name));
        std::this_thread::sleep_for(1ms);
      }
    });
  }
  // To where it gets; what is not on the primary's own disk no standby has.
  static Lsn Advance(pg::Connection& db, const std::string& name) {
    constexpr pg::Query kAdvance{
        "advance",
        "SELECT end_lsn::text FROM pg_replication_slot_advance($1, pg_current_wal_flush_lsn())"};
    return ParseLsn(db.Execute(kAdvance, name).Only().Get<std::string>(0)).value_or(Lsn{});
  }
  [[nodiscard]] RelaySettings Waits() const {
    auto settings = MakeSettings();
    settings.wait_for_standbys = {Near(), Far()};
    return settings;
  }
  static void AwaitWaiting(RunningRelay& relay) {
    ASSERT_TRUE(Eventually([&] { return relay.Gauge("relay_awaits_standbys") == 1; }))
        << relay.Log();
  }
};

TEST_F(StandbysTest, ACommitComesWhenTheLastOfTheStandbysHasIt) {
  const Topic topic;
  const auto relay = Start(Waits());
  Append({.topic = topic.name(), .payload = "1"});
  AwaitWaiting(*relay);
  const auto near = Follow(Near());
  // Kept waiting until the near one has it, too.
  CatchUp(Near());
  EXPECT_THAT(topic.Values(), IsEmpty());
  EXPECT_EQ(relay->Gauge("relay_awaits_standbys"), 1);
  const auto far = Follow(Far());
  EXPECT_EQ(topic.AwaitRecords(1)[0].value, "1");
  EXPECT_TRUE(Eventually([&] { return relay->Gauge("relay_awaits_standbys") == 0; }));
}

TEST_F(StandbysTest, WhileAStandbyIsAwayHealthNamesItAndAStopIsNotHeldUp) {
  const Topic topic;
  auto relay = Start(Waits());
  LoseStandby(Far());
  Append({.topic = topic.name(), .payload = "1"});
  const auto near = Follow(Near());
  ASSERT_TRUE(Eventually([&] { return relay->Health().find(Far()) != std::string::npos; }, 20s))
      << relay->Health();
  EXPECT_THAT(relay->Log(), HasSubstr("waits for a standby"));
  EXPECT_GT(relay->LagSeconds(), 4.0) << "the alarms of a relay that is behind look at it";
  EXPECT_LT(relay->Stop(), 2s);
  EXPECT_THAT(topic.Values(), IsEmpty());
  MakeStandby(Far());
  relay = Start(Waits());
  const auto far = Follow(Far());
  EXPECT_EQ(topic.AwaitRecords(1)[0].value, "1");
  EXPECT_TRUE(Eventually([&] { return relay->Health().empty(); })) << relay->Health();
}

// What a checkpoint says must be true on the standby, too, or it is refused there.
TEST_F(StandbysTest, WalOfOthersIsPassedOnlyWhenTheStandbysHaveIt) {
  const auto relay = Start(Waits());
  const auto near = Follow(Near());
  static_cast<void>(Scalar<std::string>("SELECT pg_logical_emit_message(true, 'x', 'y')::text"));
  const Lsn end = Now();
  // The server's keepalives tell of it several times meanwhile.
  EXPECT_FALSE(Eventually([&] { return Confirmed() >= end; }, 2s));
  const auto far = Follow(Far());
  EXPECT_TRUE(Eventually([&] { return Confirmed() >= end; })) << ToString(Confirmed());
}

TEST_F(StandbysTest, RowsOfTheTablesWaitAtTheFirstStart) {
  const Topic topic;
  Append({.topic = topic.name(), .payload = "1"});
  auto settings = FromTheFirstEvent();
  settings.wait_for_standbys = {Near(), Far()};
  RunningRelay relay(settings);
  AwaitWaiting(relay);
  EXPECT_THAT(topic.Values(), IsEmpty());
  const auto near = Follow(Near());
  const auto far = Follow(Far());
  EXPECT_EQ(topic.AwaitRecords(1)[0].value, "1");
}

TEST_F(StandbysTest, AReleasedKeyWaits) {
  const Topic topic;
  auto settings = Waits();
  settings.on_refusal = OnRefusal::kPark;
  const auto relay = Start(settings);
  const auto near = Follow(Near());
  {
    const auto far = Follow(Far());
    Append({.topic = topic.name(), .payload = "\"" + std::string(2'000'000, 'x') + "\""});
    ASSERT_TRUE(Eventually([&] { return relay->Gauge("relay_parked_keys") == 1; }));
  }
  Append({.topic = topic.name(), .payload = "1"});
  AwaitWaiting(*relay);
  db_->Execute({"skip", "UPDATE relay.parked SET wanted = 'skip' WHERE slot = $1"}, slot_);
  // It is released by reading the table, where the event is visible already.
  EXPECT_FALSE(Eventually([&] { return !topic.Values().empty(); }, 2s));
  EXPECT_EQ(relay->Gauge("relay_parked_keys"), 1);
  const auto far = Follow(Far());
  EXPECT_EQ(topic.AwaitRecords(1)[0].value, "1");
}

TEST_F(StandbysTest, InATransactionOfKafkaNothingWaitsWithALaterCommit) {
  const Topic topic;
  auto settings = Waits();
  settings.promise = Promise::kTransactional;
  const auto relay = Start(settings);
  const auto near = Follow(Near());
  {
    const auto far = Follow(Far());
    Append({.topic = topic.name(), .payload = "1"});
    ASSERT_TRUE(Eventually([&] { return topic.Values().size() == 1; }));
  }
  for (int n = 2; n <= 5; ++n) Append({.topic = topic.name(), .payload = std::to_string(n)});
  AwaitWaiting(*relay);
  EXPECT_EQ(relay->Counter("relay_transactions_total"), 1) << "none of them is in a transaction";
  const auto far = Follow(Far());
  EXPECT_TRUE(Eventually([&] { return topic.Values().size() == 5; }));
}

TEST_F(StandbysTest, WhatWaitedStaysWhenTheRelayIsPausedMeanwhile) {
  const Topic topic;
  const auto relay = Start(Waits());
  const auto near = Follow(Near());
  Append({.topic = topic.name(), .payload = "1"});
  AwaitWaiting(*relay);
  relay->control().Pause();
  const auto far = Follow(Far());
  EXPECT_FALSE(Eventually([&] { return !topic.Values().empty(); }, 1s));
  relay->control().Resume();
  EXPECT_EQ(topic.AwaitRecords(1)[0].value, "1");
}

TEST_F(StandbysTest, ManyCommitsComeInOrderBehindStandbysThatKeepUp) {
  const Topic topic;
  const auto relay = Start(Waits());
  const auto near = Follow(Near());
  const auto far = Follow(Far());
  for (int n = 1; n <= 1'000; ++n) AppendNumbers(topic.name(), n, n);
  EXPECT_EQ(Numbers(topic.AwaitRecords(1'000)), UpTo(1'000));
}

}  // namespace
}  // namespace countersign::relay
