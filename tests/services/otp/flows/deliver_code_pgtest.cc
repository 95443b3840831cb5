#include <deque>

#include "services/otp/events.h"
#include "services/otp/store/deliveries.h"
#include "tests/services/otp/flows/fixture.h"

namespace countersign::otp {
namespace {

using providers::Refusal;
using providers::SendOrder;
using providers::SendOutcome;
using providers::SendStatus;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Taken = DeliverCodeFlow::Taken;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DeliverCode : public OtpTest {
 protected:
  [[nodiscard]] std::size_t SendsFor(const SendIntent& intent) {
    return provider().SendsTo(PhoneOf(intent)).size();
  }
  // Answers the first sends so, and all others with success.
  void AnswerFirst(std::deque<SendOutcome> outcomes) {
    provider().Answers([this, script = std::make_shared<std::deque<SendOutcome>>(
                                  std::move(outcomes))](const SendOrder&) {
      const std::lock_guard lock(mutex_);
      if (script->empty()) return SendOutcome{.status = SendStatus::kSent, .provider_sid = "SM"};
      SendOutcome outcome = script->front();
      script->pop_front();
      return outcome;
    });
  }
  template <typename T>
  [[nodiscard]] T Column(const SendIntent& intent, const std::string& column) {
    return owner().One<T>("SELECT " + column + " FROM otp.deliveries WHERE event_id = $1",
                          intent.event_id);
  }

  // For when the fixture's own connection was cut.
  std::unique_ptr<support::Owner> owner_again_;

 private:
  std::mutex mutex_;
};

TEST_F(DeliverCode, ACodeIsSentAndItsFateTold) {
  const SendIntent intent = NewIntent(keys());
  EXPECT_EQ(otp().Deliver(intent), Taken::kFinished);
  EXPECT_EQ(StateOf(intent), "sent");
  const auto sends = provider().SendsTo(PhoneOf(intent));
  ASSERT_EQ(sends.size(), 1U);
  EXPECT_EQ(sends[0].code.Reveal().size(), 6U);
  EXPECT_EQ(sends[0].purpose, "signup");
  EXPECT_GT(sends[0].life, seconds(280));
  EXPECT_LE(sends[0].life, seconds(300));
  EXPECT_EQ(sends[0].traceparent, ToString(intent.trace));
  EXPECT_EQ(Column<Uuid>(intent, "attempt_id"), sends[0].attempt_id);
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.sent"));
  EXPECT_THAT(PayloadOf(intent, "otp.sent"),
              HasSubstr("\"send_event_id\":\"" + ToString(intent.event_id) +
                        R"(","attempt_number":1,"channel":"sms","provider":"recording")"));
  EXPECT_EQ(
      owner().One<std::string>("SELECT headers->>'traceparent' FROM otp.event_log WHERE key = $1",
                               ToString(intent.subject_id)),
      ToString(intent.trace));
}

TEST_F(DeliverCode, I4_HmacAndLeaseAreCommittedBeforeTheProviderIsCalled) {
  const SendIntent intent = NewIntent(keys());
  std::string seen;
  provider().Answers([&](const SendOrder&) {
    seen = owner().One<std::string>(
        "SELECT state || ' ' || (lease_until > now())::text || ' ' || octet_length(code_hmac)"
        "  FROM otp.deliveries d JOIN otp.challenges c ON c.id = d.challenge_id"
        " WHERE event_id = $1",
        intent.event_id);
    return SendOutcome{.status = SendStatus::kSent, .provider_sid = "SM"};
  });
  EXPECT_EQ(otp().Deliver(intent), Taken::kFinished);
  EXPECT_EQ(seen, "sending true 32");
}

TEST_F(DeliverCode, AnEventTakenAgainAndAgainByTwoReplicasIsSentOnce) {
  const auto replica = NewInstallation();
  provider().Takes(milliseconds(20));
  const SendIntent intent = NewIntent(keys());
  const auto taken =
      InParallel(16, [&](int n) { return (n % 2 == 0 ? otp() : *replica).Deliver(intent); });
  EXPECT_THAT(taken, ::testing::Each(std::optional(Taken::kFinished)));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(otp().Deliver(intent), Taken::kFinished);
  EXPECT_EQ(SendsFor(intent), 1U);
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.sent"));
}

TEST_F(DeliverCode, I4_ACallThatNeverHappenedIsMadeAgainWithAnotherCode) {
  AnswerFirst({{.status = SendStatus::kNotSent, .retry_after = milliseconds(10)},
               {.status = SendStatus::kNotSent, .retry_after = milliseconds(10)}});
  const SendIntent intent = NewIntent(keys());
  EXPECT_EQ(otp().Deliver(intent), Taken::kFinished);
  EXPECT_EQ(StateOf(intent), "sent");
  EXPECT_EQ(Column<int>(intent, "attempt_number"), 3);
  const auto sends = provider().SendsTo(PhoneOf(intent));
  ASSERT_EQ(sends.size(), 3U);
  EXPECT_NE(sends[0].attempt_id, sends[1].attempt_id);
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.sent"));
  EXPECT_THAT(PayloadOf(intent, "otp.sent"), HasSubstr(R"("attempt_number":3,)"));
  EXPECT_EQ(WordOf(otp().Verify(intent, CodeOf(intent))), "approved") << "the last one";
}

TEST_F(DeliverCode, NothingIsSentAfterTheCodesTimeHoweverOftenItCouldNotBe) {
  provider().Answers([](const SendOrder&) {
    return SendOutcome{.status = SendStatus::kNotSent, .retry_after = seconds(60)};
  });
  SendIntent intent = NewIntent(keys());
  intent.expires_at = keys().clock.Now() + seconds(3);
  EXPECT_EQ(otp().Deliver(intent), Taken::kFinished);
  EXPECT_EQ(StateOf(intent), "expired");
  EXPECT_EQ(SendsFor(intent), 1U);
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.expired"));
  EXPECT_THAT(PayloadOf(intent, "otp.expired"), HasSubstr(R"("attempt_number":1,)"));
}

TEST_F(DeliverCode, ARefusalIsFinalAndSaysWhy) {
  AnswerFirst({{.status = SendStatus::kRejected,
                .refusal = Refusal::kOptedOut,
                .provider_code = 21610,
                .detail = "CreateMessage: HTTP 400"}});
  const SendIntent intent = NewIntent(keys());
  EXPECT_EQ(otp().Deliver(intent), Taken::kFinished);
  EXPECT_EQ(otp().Deliver(intent), Taken::kFinished);
  EXPECT_EQ(StateOf(intent), "failed");
  EXPECT_EQ(SendsFor(intent), 1U);
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.failed"));
  EXPECT_THAT(PayloadOf(intent, "otp.failed"),
              HasSubstr(R"("reason_class":"OPTED_OUT","provider_code":21610,)"));
}

TEST_F(DeliverCode, I4_AnAmbiguousCallIsUnknownAndNeverMadeAgain) {
  AnswerFirst({{.status = SendStatus::kUnknown}});
  const SendIntent intent = NewIntent(keys());
  EXPECT_EQ(otp().Deliver(intent), Taken::kFinished);
  EXPECT_EQ(otp().Deliver(intent), Taken::kFinished);
  EXPECT_EQ(StateOf(intent), "unknown");
  EXPECT_EQ(SendsFor(intent), 1U);
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.unknown"));
  EXPECT_EQ(WordOf(otp().Verify(intent, CodeOf(intent))), "approved") << "it may have arrived";
}

TEST_F(DeliverCode, AnExpiredEventIsToldWhetherItsRecipientCanBeReadOrNot) {
  SendIntent readable = NewIntent(keys());
  SendIntent sealed = NewIntent(keys());
  readable.expires_at = sealed.expires_at = keys().clock.Now() - seconds(1);
  sealed.recipient.reset();
  for (const auto& intent : {readable, sealed}) {
    EXPECT_EQ(otp().Deliver(intent), Taken::kFinished);
    EXPECT_EQ(otp().Deliver(intent), Taken::kFinished);
    EXPECT_EQ(StateOf(intent), "expired");
    EXPECT_THAT(EventsOf(intent), ElementsAre("otp.expired"));
    EXPECT_EQ(WordOf(otp().Verify(intent, "123456")), "not_found") << "nothing was ever sent";
  }
  EXPECT_EQ(SendsFor(readable), 0U);
}

TEST_F(DeliverCode, WhatIsInTimeAndCannotBeReadLeavesNoTrace) {
  SendIntent intent = NewIntent(keys());
  intent.recipient.reset();
  EXPECT_EQ(otp().Deliver(intent), Taken::kUnreadable);
  EXPECT_EQ(StateOf(intent), "none");
  EXPECT_THAT(EventsOf(intent), IsEmpty());
}

TEST_F(DeliverCode, OTP7_AnEventCannotTakeOverTheChallengeOfAnotherNumber) {
  const SendIntent victim = Sent();
  SendIntent thief = NewIntent(keys());
  thief.challenge_id = victim.challenge_id;
  thief.send_number = 2;
  EXPECT_EQ(otp().Deliver(thief), Taken::kUnreadable);
  EXPECT_EQ(SendsFor(thief), 0U);
  EXPECT_EQ(WordOf(otp().Verify(victim, CodeOf(victim))), "approved");
}

TEST_F(DeliverCode, ACodeThatANewerOneOvertookIsNotSent) {
  const auto narrow = NewInstallation({.in_flight = 1});
  provider().Hold();
  const SendIntent other = NewIntent(keys());
  const SendIntent first = NewIntent(keys());
  const SendIntent second = Resend(keys(), first);
  narrow->Begin(other);
  ASSERT_TRUE(Eventually([&] { return SendsFor(other) == 1; }));
  narrow->Begin(first);
  narrow->Begin(second);
  ASSERT_TRUE(Eventually([&] { return StateOf(second) == "received"; }));
  provider().Release();
  ASSERT_TRUE(Eventually([&] { return narrow->finished() == 3; }));
  EXPECT_EQ(StateOf(first), "superseded");
  EXPECT_EQ(StateOf(second), "sent");
  EXPECT_EQ(SendsFor(first), 1U);
}

TEST_F(DeliverCode, OneCallAtATimePerNumberAcrossReplicas) {
  const auto replica = NewInstallation();
  provider().Takes(milliseconds(15));
  const SendIntent number = NewIntent(keys());
  std::vector<SendIntent> intents;
  for (int i = 0; i < 12; ++i) {
    intents.push_back(NewIntent(keys()));
    intents.back().subject_id = number.subject_id;
    intents.back().recipient = number.recipient;
  }
  for (std::size_t i = 0; i < intents.size(); ++i) {
    (i % 2 == 0 ? otp() : *replica).Begin(intents[i]);
  }
  ASSERT_TRUE(Eventually([&] { return otp().finished() + replica->finished() == 12; }));
  EXPECT_EQ(SendsFor(number), 12U);
  EXPECT_EQ(provider().MostAtOnceToOneNumber(), 1);
  EXPECT_EQ(EventsOf(number).size(), 12U);
}

// What the index is for: both saw nobody sending.
TEST_F(DeliverCode, OfTwoThatBeginTheSameNumberAtOnceOneIsToldToWait) {
  const SendIntent one = NewIntent(keys());
  SendIntent two = NewIntent(keys());
  two.subject_id = one.subject_id;
  const auto narrow = NewInstallation({.in_flight = 1});
  provider().Hold();
  narrow->Begin(NewIntent(keys()));
  ASSERT_TRUE(Eventually([&] { return !provider().Sends().empty(); }));
  narrow->Begin(one);
  narrow->Begin(two);
  ASSERT_TRUE(Eventually([&] { return StateOf(two) == "received"; }));
  const auto terms =
      store::SendTerms{.provider = "recording", .lease = seconds(30), .expired = events::kExpired};
  const auto begin = [&](const SendIntent& intent) {
    store::BeginSend command{.event_id = intent.event_id,
                             .code_key_id = {},
                             .log_event_id = keys().ids.Next(),
                             .payload = "{}",
                             .headers = "{}"};
    command.attempt_id = keys().ids.Next();
    command.code_hmac = Hash{};
    return command;
  };
  const auto run = BeginWork(terms).statement;
  pg::Connection first(AsService());
  pg::Connection second(AsService());
  const std::vector<store::BeginSend> ours = {begin(one)};
  const std::vector<store::BeginSend> theirs = {begin(two)};
  first.ExecuteScript("BEGIN");
  ASSERT_TRUE(std::get<Result<store::BegunSend>>(run(first, ours)[0])->begun);
  std::jthread commit([&] {
    EXPECT_TRUE(Eventually([&] {
      return owner().One<int>(
                 "SELECT count(*) FROM pg_locks WHERE NOT granted"
                 " AND pid IN (SELECT pid FROM pg_stat_activity"
                 "              WHERE datname = current_database())") > 0;
    }));
    first.ExecuteScript("COMMIT");
  });
  const auto waiting = std::get<Result<store::BegunSend>>(run(second, theirs)[0]);
  EXPECT_FALSE(waiting->begun);
  EXPECT_EQ(waiting->state, DeliveryState::kSending);
  commit.join();
  provider().Release();
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
  std::atomic<bool> over = false;
  std::atomic<int> cut = 0;
  std::jthread saboteur([&] {
    support::Owner other(Settings());
    for (int i = 0; i < 40 && !over; ++i) {
      cut += static_cast<int>(
          other
              .Run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                   " AND query LIKE '%otp.deliveries%'")
              .size());
      std::this_thread::sleep_for(milliseconds(3));
    }
  });
  provider().Release();
  EXPECT_TRUE(Eventually([&] { return otp().finished() == 20; }));
  over = true;
  saboteur.join();
  EXPECT_GT(cut, 0);
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
