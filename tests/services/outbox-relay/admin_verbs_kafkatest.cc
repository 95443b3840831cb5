// Pause, drain and step-down of a relay in this process, of both sources.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "services/outbox-relay/sql/queries.h"
#include "tests/services/outbox-relay/following.h"

namespace countersign::relay {
namespace {

using support::Eventually;
using support::Topic;
using ::testing::HasSubstr;

class AdminVerbsTest : public TableTest, public ::testing::WithParamInterface<Source> {
 protected:
  [[nodiscard]] RelaySettings Settings() const {
    return GetParam() == Source::kTable ? FromTables() : FromTheFirstEvent();
  }
  [[nodiscard]] std::unique_ptr<RunningRelay> Run() {
    return GetParam() == Source::kTable ? Follow(Settings()) : Start(Settings());
  }
  // As the admin socket does it.
  void Drain(RunningRelay& relay) const {
    (void)relay.control().Drain(
        *ParseLsn(db_->Execute(sql::kEndOfCommits).Only().Get<std::string>(0)));
  }
  [[nodiscard]] static Mode Now(RunningRelay& relay) { return relay.control().Look().mode; }
  [[nodiscard]] static Role RoleOf(RunningRelay& relay) {
    return relay.control().Look().standing.role;
  }
  static void AwaitRest(RunningRelay& relay) {
    ASSERT_TRUE(Eventually([&] { return !relay.control().Look().standing.reading; }));
  }
};

TEST_P(AdminVerbsTest, APausedRelayReadsNothingAndConfirmsWhatIsAcknowledged) {
  const Topic topic(1);
  const auto relay = Run();
  AppendNumbers(topic.name(), 1, 10);
  static_cast<void>(topic.AwaitRecords(10));
  (void)relay->control().Pause();
  AwaitRest(*relay);
  AwaitCheckpointed(topic.name(), 10);
  AppendNumbers(topic.name(), 11, 20);
  // Several of its turns; the server's patience with a silent relay is two seconds.
  const auto paused = std::chrono::steady_clock::now();
  ASSERT_TRUE(Eventually(
      [&] { return std::chrono::steady_clock::now() - paused > std::chrono::seconds(3); }));
  EXPECT_EQ(topic.Read().size(), 10U);
  EXPECT_EQ(relay->Gauge("relay_paused"), 1);
  EXPECT_EQ(relay->Gauge("relay_leader"), 1);
  EXPECT_EQ(relay->Health(), "");
  EXPECT_EQ(relay->Log().find("relaying was interrupted"), std::string::npos) << relay->Log();
  (void)relay->control().Resume();
  EXPECT_EQ(Numbers(topic.AwaitRecords(20)), UpTo(20));
  EXPECT_EQ(relay->Gauge("relay_paused"), 0);
}

TEST_P(AdminVerbsTest, APausedRelayStopsAtOnceAndTheNextOneIsNotPaused) {
  const Topic topic(1);
  {
    const auto relay = Run();
    (void)relay->control().Pause();
    AwaitRest(*relay);
    AppendNumbers(topic.name(), 1, 10);
    EXPECT_LT(relay->Stop(), std::chrono::seconds(3));
  }
  const auto relay = Run();
  EXPECT_EQ(Numbers(topic.AwaitRecords(10)), UpTo(10));
}

TEST_P(AdminVerbsTest, ADrainedRelayHasACheckpointOfEverythingThatWasCommitted) {
  const Topic topic(1);
  const auto relay = Run();
  AppendNumbers(topic.name(), 1, 3'000);
  Drain(*relay);
  ASSERT_TRUE(Eventually([&] { return Now(*relay) == Mode::kDrained; })) << relay->Log();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(3'000));
  const auto newest = Newest();
  if (GetParam() == Source::kTable) {
    const auto snapshot = ReadSnapshot(newest.settled.value_or(SettledPoint{}).snapshot);
    ASSERT_TRUE(snapshot);
    EXPECT_GT(static_cast<std::int64_t>(snapshot->xmax),
              Scalar<std::int64_t>("SELECT max(xid::text::bigint) FROM auth.event_log"));
  } else {
    EXPECT_EQ(newest.offsets.at(topic.name()), (std::vector<std::int64_t>{3'000}));
    EXPECT_GE(Confirmed(), newest.position);
  }
  AppendNumbers(topic.name(), 3'001, 3'010);
  // A second one reads on.
  Drain(*relay);
  ASSERT_TRUE(Eventually([&] { return Now(*relay) == Mode::kDrained; })) << relay->Log();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(3'010));
}

TEST_P(AdminVerbsTest, ADrainOfAnIdleDatabaseEnds) {
  const auto relay = Run();
  Drain(*relay);
  EXPECT_TRUE(Eventually([&] { return Now(*relay) == Mode::kDrained; })) << relay->Log();
  EXPECT_THAT(relay->Log(), HasSubstr("drained: kafka has everything"));
}

TEST_P(AdminVerbsTest, ADrainIsNotOverWhileAnEventIsHeld) {
  const auto relay = Run();
  Append({.topic = "no.such.topic"});
  Drain(*relay);
  ASSERT_TRUE(Eventually([&] { return !relay->Health().empty(); }));
  EXPECT_EQ(Now(*relay), Mode::kDraining);
  (void)relay->control().GiveUpDrain();
  EXPECT_EQ(Now(*relay), Mode::kRunning);
}

TEST_P(AdminVerbsTest, TheOneThatStepsDownStandsByAndTheOtherDoublesNothing) {
  const Topic topic(1);
  const auto first = Run();
  auto second = std::make_unique<RunningRelay>(Settings());
  ASSERT_TRUE(Eventually([&] { return RoleOf(*second) == Role::kStandsBy; }));
  AppendNumbers(topic.name(), 1, 2'000);
  EXPECT_EQ(first->control().StepDown().standing.role, Role::kLeads);
  ASSERT_TRUE(Eventually([&] { return RoleOf(*second) == Role::kLeads; }));
  AppendNumbers(topic.name(), 2'001, 2'010);
  static_cast<void>(topic.AwaitRecords(2'010));
  EXPECT_NE(first->control().StepDown().standing.role, Role::kLeads);
  ASSERT_TRUE(Eventually([&] { return RoleOf(*first) == Role::kStandsBy; })) << first->Log();
  AwaitCheckpointed(topic.name(), 2'010);
  EXPECT_EQ(Numbers(topic.Read()), UpTo(2'010));
  EXPECT_EQ(first->Health(), "");
  EXPECT_THAT(first->Log(), HasSubstr("\"stepped down\""));
}

TEST_P(AdminVerbsTest, OneThatStepsDownWithoutAnotherLeadsAgainAndStaysPausedIfItWas) {
  const Topic topic(1);
  const auto relay = Run();
  (void)relay->control().Pause();
  AwaitRest(*relay);
  (void)relay->control().StepDown();
  ASSERT_TRUE(Eventually([&] { return RoleOf(*relay) == Role::kSteppedAside; }));
  AppendNumbers(topic.name(), 1, 3);
  ASSERT_TRUE(Eventually([&] { return RoleOf(*relay) == Role::kLeads; })) << relay->Log();
  EXPECT_EQ(topic.Read().size(), 0U);
  (void)relay->control().Resume();
  EXPECT_EQ(Numbers(topic.AwaitRecords(3)), UpTo(3));
}

INSTANTIATE_TEST_SUITE_P(Sources, AdminVerbsTest, ::testing::Values(Source::kWal, Source::kTable),
                         [](const auto& source) {
                           return std::string(source.param == Source::kWal ? "Wal" : "Table");
                         });

}  // namespace
}  // namespace countersign::relay
