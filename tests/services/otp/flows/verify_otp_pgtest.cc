#include <set>

#include "libs/crypto/digest.h"
#include "services/otp/events.h"
#include "services/otp/store/guesses.h"
#include "tests/services/otp/flows/fixture.h"

namespace countersign::otp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Words = std::map<std::string, int>;

Hash Claim(int n) { return crypto::Sha256(AsBytes(std::to_string(n))); }

class VerifyOtp : public OtpTest {
 protected:
  [[nodiscard]] std::string Try(const SendIntent& intent, const std::string& code) {
    return WordOf(otp().Verify(intent, code));
  }
  // Counts a guess as a process does that then dies before it compares.
  void CountAndDie(const SendIntent& intent, const std::string& code) {
    const Guess guess = Installation::ToGuess(intent, code);
    pg::Connection connection(AsService());
    const store::CountGuess command{
        .challenge_id = guess.challenge_id,
        .purpose = guess.purpose,
        .context_digest = {},
        .claim_id = guess.claim_id,
        .log_event_id = keys().ids.Next(),
        .payload =
            ToJson(CheckedEvent{.challenge_id = guess.challenge_id, .purpose = guess.purpose}),
        .headers = "{}"};
    static_cast<void>(store::CountGuesses(
        connection, {&command, 1},
        {.failures_per_day = 15, .attempts_exceeded = events::kAttemptsExceeded}));
  }
  void LetPass(const SendIntent& intent, std::string_view interval) {
    owner().Run("UPDATE otp.challenges SET expires_at = expires_at - $2::interval WHERE id = $1",
                intent.challenge_id, interval);
    owner().Run(
        "UPDATE otp.subjects SET day_started_at = day_started_at - $2::interval"
        " WHERE subject_id = $1",
        intent.subject_id, interval);
  }
  // A further challenge of the same number.
  [[nodiscard]] SendIntent AnotherChallengeOf(const SendIntent& first) {
    SendIntent another = NewIntent(keys());
    another.subject_id = first.subject_id;
    another.recipient = first.recipient;
    EXPECT_EQ(otp().Deliver(another), DeliverCodeFlow::Taken::kFinished);
    return another;
  }
};

TEST_F(VerifyOtp, ARightCodeIsApprovedAndToldSo) {
  const SendIntent intent = Sent(Purpose::kLogin);
  const auto judgement = otp().Verify(intent, CodeOf(intent));
  ASSERT_TRUE(judgement.has_value());
  EXPECT_EQ(*judgement, (Judgement{.verdict = Verdict::kApproved, .attempts_left = 4}));
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.sent", "otp.approved"));
  EXPECT_THAT(PayloadOf(intent, "otp.approved"), HasSubstr(R"("purpose":"login","attempts":1,)"));
}

TEST_F(VerifyOtp, OTP3_AnotherClaimWithTheRightCodeIsTooLate) {
  const SendIntent intent = Sent();
  EXPECT_EQ(WordOf(otp().Verify(intent, CodeOf(intent), Claim(1))), "approved");
  EXPECT_EQ(WordOf(otp().Verify(intent, CodeOf(intent), Claim(2))), "used");
  EXPECT_EQ(WordOf(otp().Verify(intent, CodeOf(intent), Claim(1))), "approved") << "alike";
  EXPECT_EQ(AttemptsOf(intent), 1);
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.sent", "otp.approved"));
}

TEST_F(VerifyOtp, OTP3_SixtyFourParallelCorrectCodesApproveOneClaim) {
  const auto patient = NewInstallation({.max_attempts = 100, .failures_per_day = 100});
  const SendIntent intent = NewIntent(keys());
  ASSERT_EQ(patient->Deliver(intent), DeliverCodeFlow::Taken::kFinished);
  const auto results =
      InParallel(64, [&](int n) { return patient->Verify(intent, CodeOf(intent), Claim(n)); });
  EXPECT_EQ(WordsOf(results), (Words{{"approved", 1}, {"used", 63}}));
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.sent", "otp.approved"));
}

TEST_F(VerifyOtp, OTP3_OneClaimSixtyFourTimesInParallelIsCountedOnceAndAlwaysApproved) {
  const SendIntent intent = Sent();
  const auto replica = NewInstallation();
  const auto results = InParallel(
      64, [&](int n) { return (n % 2 == 0 ? otp() : *replica).Verify(intent, CodeOf(intent)); });
  EXPECT_EQ(WordsOf(results), (Words{{"approved", 64}}));
  EXPECT_EQ(AttemptsOf(intent), 1);
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.sent", "otp.approved"));
}

TEST_F(VerifyOtp, OTP4_OfSixHundredFortyParallelWrongGuessesExactlyFiveAreEvaluated) {
  const SendIntent intent = Sent();
  const auto replica = NewInstallation();
  const auto results = InParallel(64, [&](int thread) {
    constexpr int kEach = 10;
    std::vector<Result<Judgement>> mine;
    mine.reserve(kEach);
    for (int i = 0; i < kEach; ++i) {
      mine.push_back(
          (i % 2 == 0 ? otp() : *replica).Verify(intent, WrongCode(intent, thread * kEach + i)));
    }
    return mine;
  });
  Words words;
  for (const auto& mine : results)
    for (const auto& [word, count] : WordsOf(mine)) words[word] += count;
  EXPECT_EQ(words, (Words{{"wrong", 5}, {"exhausted", 635}}));
  EXPECT_EQ(AttemptsOf(intent), 5);
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.sent", "otp.attempts_exceeded"));
  EXPECT_THAT(PayloadOf(intent, "otp.attempts_exceeded"), HasSubstr(R"("attempts":5,)"));
  EXPECT_EQ(Try(intent, CodeOf(intent)), "exhausted") << "the right code too";
}

// While the row is held all 64 wait in front of the batcher; then it may take them all together.
TEST_F(VerifyOtp, OTP4_OfSixtyFourGuessesQueuedInFrontOfTheBatcherExactlyFiveAreEvaluated) {
  const SendIntent intent = Sent();
  support::Owner holder(Settings());
  holder.Script("BEGIN; SELECT FROM otp.challenges WHERE id = '" + ToString(intent.challenge_id) +
                "' FOR UPDATE");
  std::atomic<int> begun = 0;
  std::jthread release([&] {
    EXPECT_TRUE(Eventually([&] { return begun == 64 && otp().batchers().guesses.queued() >= 60; }));
    holder.Script("COMMIT");
  });
  const auto results = InParallel(64, [&](int n) {
    ++begun;
    return otp().Verify(intent, WrongCode(intent, n));
  });
  EXPECT_EQ(WordsOf(results), (Words{{"wrong", 5}, {"exhausted", 59}}));
  EXPECT_EQ(AttemptsOf(intent), 5);
}

TEST_F(VerifyOtp, OTP3_OTP4_RightAndWrongMixedApproveAtMostOneAndEvaluateAtMostFive) {
  for (int round = 0; round < 5; ++round) {
    const SendIntent intent = Sent();
    const auto results = InParallel(64, [&](int n) {
      return n % 4 == 0 ? otp().Verify(intent, CodeOf(intent), Claim(n))
                        : otp().Verify(intent, WrongCode(intent, n));
    });
    Words words = WordsOf(results);
    EXPECT_LE(words["approved"], 1);
    EXPECT_LE(words["approved"] + words["wrong"], 5);
    EXPECT_EQ(words["approved"] + words["wrong"] + words["used"] + words["exhausted"], 64);
    EXPECT_LE(AttemptsOf(intent), 5);
    static_cast<void>(EventsOf(intent));
  }
}

TEST_F(VerifyOtp, ARepeatedWrongClaimIsCountedOnceAndAnsweredAlike) {
  const SendIntent intent = Sent();
  for (int i = 0; i < 10; ++i) {
    const auto judgement = otp().Verify(intent, WrongCode(intent));
    ASSERT_TRUE(judgement.has_value());
    EXPECT_EQ(*judgement, (Judgement{.verdict = Verdict::kWrong, .attempts_left = 4}));
  }
  EXPECT_EQ(AttemptsOf(intent), 1);
}

TEST_F(VerifyOtp, OTP4_AGuessIsCountedThoughTheProcessDiesBeforeItCompares) {
  const SendIntent intent = Sent();
  CountAndDie(intent, CodeOf(intent));
  EXPECT_EQ(AttemptsOf(intent), 1);
  EXPECT_EQ(Try(intent, CodeOf(intent)), "approved") << "the same claim burns nothing more";
  EXPECT_EQ(AttemptsOf(intent), 1);
}

TEST_F(VerifyOtp, ThatTheGuessesAreUsedUpIsToldThoughTheProcessDiedOverTheLastOne) {
  const SendIntent intent = Sent();
  for (int n = 0; n < 5; ++n) CountAndDie(intent, WrongCode(intent, n));
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.sent"));
  const auto results =
      InParallel(8, [&](int n) { return otp().Verify(intent, WrongCode(intent, 10 + n)); });
  EXPECT_EQ(WordsOf(results), (Words{{"exhausted", 8}}));
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.sent", "otp.attempts_exceeded"));
}

TEST_F(VerifyOtp, OTP5_AResendDoesNotResetTheCountAndEndsTheOldCode) {
  const SendIntent first = Sent();
  const std::string old_code = CodeOf(first);
  for (int n = 0; n < 3; ++n) EXPECT_EQ(Try(first, WrongCode(first, n)), "wrong");
  const SendIntent second = Resend(keys(), first);
  ASSERT_EQ(otp().Deliver(second), DeliverCodeFlow::Taken::kFinished);
  ASSERT_NE(CodeOf(second), old_code) << "one in a million";
  EXPECT_EQ(Try(second, old_code), "wrong");
  EXPECT_EQ(AttemptsOf(second), 4);
  EXPECT_EQ(Try(second, CodeOf(second)), "approved");
  const SendIntent third = Resend(keys(), second);
  ASSERT_EQ(otp().Deliver(third), DeliverCodeFlow::Taken::kFinished);
  EXPECT_EQ(StateOf(third), "superseded") << "there is nothing more to prove";
}

TEST_F(VerifyOtp, OTP5_NoNumberOfResendsBuysMoreGuesses) {
  SendIntent intent = Sent();
  int evaluated = 0;
  for (int n = 0; n < 12; ++n) {
    if (Try(intent, WrongCode(intent, n)) == "wrong") ++evaluated;
    intent = Resend(keys(), intent);
    ASSERT_EQ(otp().Deliver(intent), DeliverCodeFlow::Taken::kFinished);
  }
  EXPECT_EQ(evaluated, 5);
}

TEST_F(VerifyOtp, OTP7_AnotherPurposeContextOrChallengeIsNotFoundAndNotCounted) {
  const SendIntent intent = Sent(Purpose::kSignup);
  const std::string code = CodeOf(intent);
  Guess purpose = Installation::ToGuess(intent, code);
  purpose.purpose = Purpose::kLogin;
  EXPECT_EQ(WordOf(otp().Verify(purpose)), "not_found");
  Guess context = Installation::ToGuess(intent, code);
  context.context_digest = Bytes(32, 1);
  EXPECT_EQ(WordOf(otp().Verify(context)), "not_found");
  SendIntent nobody = intent;
  nobody.challenge_id = {RandomUuid(keys().random)};
  EXPECT_EQ(Try(nobody, code), "not_found");
  EXPECT_EQ(AttemptsOf(intent), 0);
  const SendIntent other = Sent(Purpose::kSignup);
  EXPECT_EQ(Try(other, code == CodeOf(other) ? WrongCode(other) : code), "wrong")
      << "a code of another challenge";
}

TEST_F(VerifyOtp, OTP2_AfterItsTimeByTheDatabasesClockACodeIsExpired) {
  const SendIntent used = Sent();
  EXPECT_EQ(Try(used, CodeOf(used)), "approved");
  const SendIntent intent = Sent();
  LetPass(intent, "4 minutes 59 seconds");
  EXPECT_EQ(Try(intent, WrongCode(intent)), "wrong");
  LetPass(intent, "1 second");
  EXPECT_EQ(Try(intent, CodeOf(intent)), "expired");
  EXPECT_EQ(AttemptsOf(intent), 1);
  LetPass(used, "5 minutes");
  EXPECT_EQ(Try(used, CodeOf(used)), "expired");
}

TEST_F(VerifyOtp, BeforeACodeWasSentThereIsNothingToAnswer) {
  provider().Hold();
  const auto narrow = NewInstallation({.in_flight = 1});
  const SendIntent first = NewIntent(keys());
  const SendIntent waiting = NewIntent(keys());
  narrow->Begin(first);
  ASSERT_TRUE(Eventually([&] { return StateOf(first) == "sending"; }));
  narrow->Begin(waiting);
  ASSERT_TRUE(Eventually([&] { return StateOf(waiting) == "received"; }));
  EXPECT_EQ(Try(waiting, "123456"), "not_found");
  ASSERT_TRUE(Eventually([&] { return !provider().CodeOn(PhoneOf(first)).empty(); }));
  EXPECT_EQ(Try(first, CodeOf(first)), "approved") << "a person may be faster than the provider";
  provider().Release();
  ASSERT_TRUE(Eventually([&] { return narrow->finished() == 2; }));
}

TEST_F(VerifyOtp, ADecoyIsCountedExactlyLikeARealOne) {
  const SendIntent real = Sent(Purpose::kLogin);
  SendIntent decoy = NewIntent(keys(), Purpose::kLogin);
  decoy.recipient->deliver = false;
  ASSERT_EQ(otp().Deliver(decoy), DeliverCodeFlow::Taken::kFinished);
  EXPECT_EQ(StateOf(decoy), "decoy");
  for (int n = 0; n < 3; ++n) {
    EXPECT_EQ(*otp().Verify(decoy, WrongCode(real, n)), *otp().Verify(real, WrongCode(real, n)));
  }
  const SendIntent again = Resend(keys(), decoy);
  ASSERT_EQ(otp().Deliver(again), DeliverCodeFlow::Taken::kFinished);
  EXPECT_EQ(StateOf(again), "decoy");
  for (int n = 3; n < 7; ++n) {
    EXPECT_EQ(*otp().Verify(decoy, WrongCode(real, n)), *otp().Verify(real, WrongCode(real, n)));
  }
  EXPECT_THAT(EventsOf(decoy), ElementsAre("otp.attempts_exceeded"));
  EXPECT_TRUE(provider().SendsTo(PhoneOf(decoy)).empty());
}

TEST_F(VerifyOtp, OTP6_ANumberHasFifteenFailuresADayOverAllItsChallenges) {
  const SendIntent first = Sent();
  std::vector<SendIntent> challenges = {first};
  for (int i = 0; i < 3; ++i) challenges.push_back(AnotherChallengeOf(first));
  Words words;
  for (std::size_t i = 0; i < challenges.size(); ++i)
    for (int n = 0; n < 5; ++n)
      ++words[Try(challenges[i], WrongCode(first, static_cast<int>(i) * 5 + n))];
  EXPECT_EQ(words, (Words{{"wrong", 15}, {"exhausted", 5}}));
  EXPECT_EQ(Try(challenges[3], CodeOf(first)), "exhausted")
      << "the newest code, though it is right";
  EXPECT_EQ(Try(Sent(), "000000"), "wrong") << "another number";
  LetPass(first, "1 day");
  const SendIntent tomorrow = AnotherChallengeOf(first);
  EXPECT_EQ(Try(tomorrow, CodeOf(tomorrow)), "approved");
}

TEST_F(VerifyOtp, OTP6_FifteenADayHoldForParallelGuessesAtManyChallengesOfANumber) {
  const SendIntent first = Sent();
  std::vector<SendIntent> challenges = {first};
  for (int i = 0; i < 7; ++i) challenges.push_back(AnotherChallengeOf(first));
  const auto replica = NewInstallation();
  const auto results = InParallel(40, [&](int n) {
    const SendIntent& of = challenges[static_cast<std::size_t>(n) % challenges.size()];
    return (n % 3 == 0 ? otp() : *replica).Verify(of, WrongCode(first, n));
  });
  EXPECT_EQ(WordsOf(results), (Words{{"wrong", 15}, {"exhausted", 25}}));
  EXPECT_EQ(owner().One<int>("SELECT day_failures FROM otp.subjects WHERE subject_id = $1",
                             first.subject_id),
            15);
}

TEST_F(VerifyOtp, ARightCodeIsNoFailureOfTheDay) {
  const SendIntent intent = Sent();
  EXPECT_EQ(Try(intent, WrongCode(intent)), "wrong");
  EXPECT_EQ(Try(intent, CodeOf(intent)), "approved");
  EXPECT_EQ(Try(intent, CodeOf(intent)), "approved");
  EXPECT_EQ(owner().One<int>("SELECT day_failures FROM otp.subjects WHERE subject_id = $1",
                             intent.subject_id),
            1);
}

TEST_F(VerifyOtp, ACodeIsGoodUnderTheKeyItWasMadeWithAfterARotation) {
  const SendIntent before = Sent();
  static_cast<void>(
      keystore::AddKey(keys().folder.path(), keystore::kCodeRing, keys().clock, keys().random));
  ASSERT_TRUE(keys().code.Reload());
  const SendIntent after = Sent();
  const auto key_of = [&](const SendIntent& intent) {
    return owner().One<std::string>("SELECT code_key_id FROM otp.challenges WHERE id = $1",
                                    intent.challenge_id);
  };
  EXPECT_NE(key_of(before), key_of(after));
  EXPECT_EQ(Try(before, CodeOf(before)), "approved");
  EXPECT_EQ(Try(after, CodeOf(after)), "approved");
}

TEST_F(VerifyOtp, I9_NeitherCodeNorNumberIsInTheDatabase) {
  const SendIntent intent = Sent();
  const std::string code = CodeOf(intent);
  EXPECT_EQ(Try(intent, WrongCode(intent)), "wrong");
  EXPECT_EQ(Try(intent, code), "approved");
  const auto dump = owner().One<std::string>(
      "SELECT (SELECT string_agg(c::text, ' ') FROM otp.challenges c WHERE c.id = $1)"
      " || (SELECT string_agg(d::text, ' ') FROM otp.deliveries d WHERE d.challenge_id = $1)"
      " || (SELECT string_agg(l::text, ' ') FROM otp.event_log l WHERE l.key = $2)",
      intent.challenge_id, ToString(intent.subject_id));
  EXPECT_THAT(dump, HasSubstr("approved"));
  EXPECT_THAT(dump, ::testing::Not(HasSubstr(PhoneOf(intent).substr(1))));
  // Six digits may be part of something longer by chance.
  const std::string bounded = "\"" + code + "\"";
  EXPECT_THAT(dump, ::testing::Not(HasSubstr(bounded)));
  EXPECT_THAT(dump, ::testing::Not(HasSubstr("," + code + ",")));
}

}  // namespace
}  // namespace countersign::otp
