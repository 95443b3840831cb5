#include "services/otp/events.h"
#include "tests/services/otp/flows/delivering.h"

namespace countersign::otp {
namespace {

using providers::Refusal;
using providers::SendStatus;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Taken = DeliverCodeFlow::Taken;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(DeliverCode, AnIntentThatNobodyLookedAfterInItsTimeIsToldToBeExpired) {
  provider().Hold();
  const SendIntent forgotten = NewIntent(keys());
  {
    const auto dying = NewInstallation({.in_flight = 1});
    dying->Begin(NewIntent(keys()));
    ASSERT_TRUE(Eventually([&] { return provider().Sends().size() == 1; }));
    dying->Begin(forgotten);
    ASSERT_TRUE(Eventually([&] { return StateOf(forgotten) == "received"; }));
    provider().Forget();
  }
  const auto passes = [&](std::string_view interval) {
    owner().Run(
        "UPDATE otp.deliveries SET expires_at = expires_at - $2::interval WHERE event_id = $1",
        forgotten.event_id, interval);
  };
  passes("5 minutes 30 seconds");
  otp().give_up_overdue().Run();
  otp().batchers().begins.Stop();  // nothing is on its way to it any more
  EXPECT_EQ(StateOf(forgotten), "received") << "whoever has it in hand may say so himself";
  passes("1 minute");
  const auto replica = NewInstallation();
  const auto another = NewInstallation();
  ASSERT_TRUE(Eventually([&] {
    replica->give_up_overdue().Run();
    another->give_up_overdue().Run();
    return StateOf(forgotten) == "expired";
  }));
  EXPECT_THAT(EventsOf(forgotten), ElementsAre("otp.expired"));
  EXPECT_EQ(SendsFor(forgotten), 0U);
}

TEST_F(DeliverCode, I4_ACallWhoseProcessDiedIsGivenUpOnceAndNeverMadeAgain) {
  provider().Hold();
  const SendIntent intent = NewIntent(keys());
  auto dying = NewInstallation({.lease = milliseconds(300)});
  dying->Begin(intent);
  ASSERT_TRUE(Eventually([&] { return SendsFor(intent) == 1; }));
  otp().give_up_overdue().Run();
  EXPECT_EQ(StateOf(intent), "sending") << "its lease is not over";
  const auto replica = NewInstallation();
  std::jthread redelivered([&] { EXPECT_EQ(replica->Deliver(intent), Taken::kFinished); });
  ASSERT_TRUE(Eventually([&] {
    otp().give_up_overdue().Run();
    replica->give_up_overdue().Run();
    return StateOf(intent) == "unknown";
  }));
  redelivered.join();
  EXPECT_EQ(SendsFor(intent), 1U);
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.unknown"));

  provider().Release();  // the call was only late, after all
  ASSERT_TRUE(Eventually([&] { return dying->finished() == 1; }));
  EXPECT_EQ(StateOf(intent), "sent");
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.unknown", "otp.sent"));
}

TEST_F(DeliverCode, AMisconfiguredProviderBurnsNothingAndIsAskedNothingUntilItIsMended) {
  AnswerFirst({{.status = SendStatus::kRejected,
                .refusal = Refusal::kProviderMisconfigured,
                .provider_code = 20003,
                .detail = "CreateMessage: HTTP 401"}});
  const SendIntent first = NewIntent(keys());
  const SendIntent second = NewIntent(keys());
  otp().Begin(first);
  ASSERT_TRUE(Eventually([&] { return otp().deliver().halted(); }));
  ASSERT_TRUE(Eventually([&] { return StateOf(first) == "received"; }));
  EXPECT_THAT(otp().observer().Health(), HasSubstr("misconfigured: CreateMessage: HTTP 401"));
  otp().Begin(second);
  ASSERT_TRUE(Eventually([&] { return StateOf(second) == "received"; }));
  EXPECT_EQ(SendsFor(second), 0U);
  EXPECT_EQ(Column<std::string>(first, "reason_class"), "PROVIDER_MISCONFIGURED");
  EXPECT_THAT(EventsOf(first), IsEmpty());

  otp().deliver().Resume();
  ASSERT_TRUE(Eventually([&] { return otp().finished() == 2; }));
  EXPECT_EQ(StateOf(first), "sent");
  EXPECT_EQ(StateOf(second), "sent");
  EXPECT_EQ(otp().observer().Health(), "");
}

TEST_F(DeliverCode, AnIntentThatWasNeverBegunIsTakenUpByWhoeverGetsItNext) {
  provider().Hold();
  const SendIntent waiting = NewIntent(keys());
  {
    const auto dying = NewInstallation({.in_flight = 1});
    dying->Begin(NewIntent(keys()));
    ASSERT_TRUE(Eventually([&] { return provider().Sends().size() == 1; }));
    dying->Begin(waiting);
    ASSERT_TRUE(Eventually([&] { return StateOf(waiting) == "received"; }));
    provider().Release();
    static_cast<void>(dying->deliver().Stop(std::chrono::steady_clock::now() + seconds(5)));
  }
  if (StateOf(waiting) == "received") {
    EXPECT_EQ(otp().Deliver(waiting), Taken::kFinished);
  }
  EXPECT_EQ(StateOf(waiting), "sent");
  EXPECT_EQ(SendsFor(waiting), 1U);
}

TEST_F(DeliverCode, WhatBelongsToAnotherReplicaIsNotBegun) {
  const auto narrow = NewInstallation({.in_flight = 1});
  provider().Hold();
  narrow->Begin(NewIntent(keys()));
  ASSERT_TRUE(Eventually([&] { return provider().Sends().size() == 1; }));
  const auto given_away = std::make_shared<std::atomic<bool>>(false);
  SendIntent intent = NewIntent(keys());
  intent.given_away = given_away;
  narrow->Begin(intent);
  ASSERT_TRUE(Eventually([&] { return StateOf(intent) == "received"; }));
  *given_away = true;
  provider().Release();
  ASSERT_TRUE(Eventually([&] { return narrow->finished() == 1; }));
  EXPECT_EQ(narrow->Deliver(NewIntent(keys())), Taken::kFinished) << "the slot is free again";
  EXPECT_EQ(SendsFor(intent), 0U);
}

TEST_F(DeliverCode, NoMoreCallsAtOnceThanAllowed) {
  const auto narrow = NewInstallation({.in_flight = 8});
  provider().Hold();
  std::vector<SendIntent> intents;
  for (int i = 0; i < 64; ++i) {
    intents.push_back(NewIntent(keys()));
    narrow->Begin(intents.back());
  }
  ASSERT_TRUE(Eventually([&] {
    return owner().One<int>("SELECT count(*) FROM otp.deliveries WHERE event_id = ANY ($1)",
                            pg::Column(intents, &SendIntent::event_id)) == 64;
  }));
  ASSERT_TRUE(Eventually([&] { return provider().Sends().size() == 8; }));
  provider().Release();
  ASSERT_TRUE(Eventually([&] { return narrow->finished() == 64; }));
  EXPECT_EQ(provider().MostAtOnce(), 8);
}

TEST_F(DeliverCode, ConnectionsLostAroundTheCallLoseNoOutcomeAndRepeatNoCall) {
  provider().Hold();
  std::vector<SendIntent> intents;
  for (int i = 0; i < 20; ++i) {
    intents.push_back(NewIntent(keys()));
    otp().Begin(intents.back());
  }
  ASSERT_TRUE(Eventually([&] { return provider().Sends().size() == 20; }));
  support::Owner saboteur(Settings());
  const auto cut = [&saboteur](const std::string& which) {
    return saboteur
        .Run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND " +
            which)
        .size();
  };
  const std::string in_use = "query LIKE '%otp.deliveries%'";
  ASSERT_TRUE(Eventually([&] { return cut(in_use) > 0; })) << "while the provider is asked";
  support::Owner holder(Settings());
  holder.Script("BEGIN; SELECT FROM otp.deliveries FOR UPDATE");
  provider().Release();
  ASSERT_TRUE(Eventually([&] { return cut("wait_event_type = 'Lock'") > 0; }))
      << "in the middle of recording an outcome";
  holder.Script("ROLLBACK");
  for (int i = 0; i < 40 && otp().finished() < 20; ++i) {
    static_cast<void>(cut(in_use));
    std::this_thread::sleep_for(milliseconds(3));
  }
  EXPECT_TRUE(Eventually([&] { return otp().finished() == 20; }));
  owner_again_ = std::make_unique<support::Owner>(Settings());
  for (const auto& intent : intents) {
    EXPECT_EQ(owner_again_->One<std::string>("SELECT state FROM otp.deliveries WHERE event_id = $1",
                                             intent.event_id),
              "sent");
    EXPECT_EQ(owner_again_->One<int>("SELECT count(*) FROM otp.event_log WHERE key = $1",
                                     ToString(intent.subject_id)),
              1);
    EXPECT_EQ(SendsFor(intent), 1U);
  }
}

TEST_F(DeliverCode, AStopWaitsForWhatTheProviderWasAskedAndBeginsNothing) {
  const auto narrow = NewInstallation({.in_flight = 1});
  provider().Hold();
  const SendIntent under_way = NewIntent(keys());
  const SendIntent waiting = NewIntent(keys());
  narrow->Begin(under_way);
  ASSERT_TRUE(Eventually([&] { return SendsFor(under_way) == 1; }));
  narrow->Begin(waiting);
  ASSERT_TRUE(Eventually([&] { return StateOf(waiting) == "received"; }));
  EXPECT_FALSE(narrow->deliver().Stop(std::chrono::steady_clock::now() + milliseconds(50)));
  std::jthread late([&] {
    std::this_thread::sleep_for(milliseconds(50));
    provider().Release();
  });
  EXPECT_TRUE(narrow->deliver().Stop(std::chrono::steady_clock::now() + seconds(10)));
  EXPECT_EQ(StateOf(under_way), "sent");
  EXPECT_EQ(StateOf(waiting), "received");
}

}  // namespace
}  // namespace countersign::otp
