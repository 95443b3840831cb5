#include "services/otp/events.h"
#include "tests/services/otp/flows/delivering.h"

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

}  // namespace
}  // namespace countersign::otp
