#include "tests/services/auth/flows/flow_test.h"

namespace countersign::auth {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::Ge;
using ::testing::Gt;
using ::testing::Le;

using Started = Result<StartedVerification>;

InstallationOptions NoHourOrDay() {
  InstallationOptions options;
  options.limit.per_hour = options.limit.per_day = 1000;
  return options;
}

class SendLimitTest : public FlowTest {
 protected:
  // Only the cooldown is over; hour and day go on.
  void EndCooldown(const std::string& phone) {
    owner().Run("UPDATE auth.numbers SET next_send_at = now() WHERE phone_hash = $1",
                HashOf(phone));
  }
  void Move(const std::string& phone, std::string_view column_of, std::string_view interval) {
    owner().Run(column_of == "hour"
                    ? "UPDATE auth.numbers SET hour_started_at = hour_started_at - $2::interval"
                      " WHERE phone_hash = $1"
                    : "UPDATE auth.numbers SET day_started_at = day_started_at - $2::interval"
                      " WHERE phone_hash = $1",
                HashOf(phone), interval);
  }
  [[nodiscard]] std::int64_t VerificationsOf(const std::string& phone) {
    return owner().One<std::int64_t>("SELECT count(*) FROM auth.verifications WHERE phone = $1",
                                     phone);
  }
  static std::vector<milliseconds> WaitsOf(const std::vector<Started>& answers) {
    std::vector<milliseconds> waits;
    for (const Started& answer : answers)
      if (!answer) waits.push_back(answer.error().retry_after);
    return waits;
  }
};

TEST_F(SendLimitTest, C3_OTP8_HundredParallelResendsSendOneCode) {
  const std::string phone = NewPhone();
  const std::string id = IdOfSignUp(phone);
  LetPass(phone, "30 seconds");
  const auto answers = InParallel(100, [&](int) { return auth().Resend(id); });

  EXPECT_EQ(CountOf(answers, "OK"), 1) << WordsOf(answers);
  EXPECT_EQ(CountOf(answers, "RESEND_TOO_SOON"), 99) << WordsOf(answers);
  EXPECT_THAT(WaitsOf(answers), Each(AllOf(Gt(seconds(50)), Le(seconds(60)))));
  EXPECT_EQ(SendsTo(phone), 2);
  EXPECT_EQ(VerificationsOf(phone), 1);
}

TEST_F(SendLimitTest, C3_ResendsSignUpsAndLogInsOfTwoReplicasShareOneLimit) {
  const auto other = NewInstallation();
  const std::string phone = NewPhone();
  const std::string id = IdOfSignUp(phone);
  for (int sends = 2; sends <= 4; ++sends) {
    EndCooldown(phone);
    const auto answers = InParallel(60, [&](int i) {
      Installation& replica = i % 2 == 0 ? auth() : *other;
      if (i % 3 == 0) return replica.Resend(id);
      return i % 3 == 1 ? replica.LogIn(phone) : replica.SignUp({.phone_number = phone});
    });
    ASSERT_EQ(CountOf(answers, "OK"), 1) << WordsOf(answers);
    ASSERT_EQ(CountOf(answers, "RESEND_TOO_SOON"), 59) << WordsOf(answers);
    ASSERT_EQ(SendsTo(phone), sends);
  }
}

TEST_F(SendLimitTest, C3_TheCooldownGrowsAsDocumentedAndStaysAtItsLastStep) {
  const auto replica = NewInstallation(NoHourOrDay());
  const std::string phone = NewPhone();
  const auto steps = {seconds(30),  seconds(60),   seconds(120),  seconds(300),
                      seconds(900), seconds(1800), seconds(1800), seconds(1800)};
  for (const seconds step : steps) {
    const auto started = Must(replica->LogIn(phone));
    EXPECT_EQ(started.resend_after - (started.expires_at - minutes(5)), step);
    LetPass(phone, std::to_string(step.count() - 1) + " seconds");
    const Started early = replica->LogIn(phone);
    ASSERT_EQ(WordOf(early), "RESEND_TOO_SOON");
    EXPECT_THAT(early.error().retry_after, AllOf(Ge(milliseconds(1)), Le(seconds(1))));
    LetPass(phone, "1 second");
  }
}

TEST_F(SendLimitTest, C3_ARightCodeEndsTheCooldownButGivesNoFurtherSendsOfTheHour) {
  const Person person = NewPerson();  // one of the hour's five
  for (int send = 2; send <= 5; ++send) {
    const auto started = Must(auth().LogIn(person.phone));
    if (send < 5) {
      EXPECT_EQ(started.resend_after - (started.expires_at - minutes(5)), seconds(30));
    }
    ASSERT_TRUE(auth().ValidateLogIn(started.verification_id.Reveal(), kRightCode));
  }
  EXPECT_EQ(WordOf(auth().LogIn(person.phone)), "SEND_LIMIT_REACHED");
  EXPECT_EQ(SendsTo(person.phone), 5);
}

TEST_F(SendLimitTest, C3_FiveAnHourAndTenADayThenTheWaitUntilTheNext) {
  const std::string phone = NewPhone();
  const auto send_five = [&] {
    for (int i = 0; i < 5; ++i) {
      ASSERT_EQ(WordOf(auth().LogIn(phone)), "OK");
      EndCooldown(phone);
    }
  };
  send_five();
  const Started sixth = auth().LogIn(phone);
  ASSERT_EQ(WordOf(sixth), "SEND_LIMIT_REACHED");
  EXPECT_THAT(sixth.error().retry_after, AllOf(Gt(minutes(59)), Le(hours(1))));

  Move(phone, "hour", "59 minutes 59 seconds");
  EXPECT_THAT(auth().LogIn(phone).error().retry_after, AllOf(Ge(milliseconds(1)), Le(seconds(1))));
  Move(phone, "hour", "1 second");
  send_five();
  Move(phone, "hour", "1 hour");
  Move(phone, "day", "2 hours");
  const Started eleventh = auth().LogIn(phone);
  ASSERT_EQ(WordOf(eleventh), "SEND_LIMIT_REACHED");
  EXPECT_THAT(eleventh.error().retry_after, AllOf(Gt(hours(21)), Le(hours(22))));
  EXPECT_EQ(SendsTo(phone), 10);

  Move(phone, "day", "22 hours");
  const auto next_day = Must(auth().LogIn(phone));
  EXPECT_EQ(next_day.resend_after - (next_day.expires_at - minutes(5)), seconds(30))
      << "a new day begins a new row of cooldowns";
}

// The countdown a client shows must not end in a refusal.
TEST_F(SendLimitTest, C3_ResendAfterCountsTheHourAndTheDayToo) {
  const std::string phone = NewPhone();
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(auth().LogIn(phone));
    EndCooldown(phone);
  }
  const auto fifth = Must(auth().LogIn(phone));
  const auto wait = fifth.resend_after - (fifth.expires_at - minutes(5));
  EXPECT_THAT(wait, AllOf(Gt(minutes(59)), Le(hours(1))));
  LetPass(phone, std::to_string(std::chrono::ceil<seconds>(wait).count()) + " seconds");
  EXPECT_EQ(WordOf(auth().LogIn(phone)), "OK");
}

// Without a cooldown the hour alone limits.
TEST_F(SendLimitTest, C3_ALimitOfTwentyLetsTwentyThroughUnderAnyConcurrency) {
  InstallationOptions options;
  options.limit = {.cooldowns = {seconds(0)}, .per_hour = 20, .per_day = 20};
  const auto one = NewInstallation(options);
  const auto other = NewInstallation(options);
  const std::string phone = NewPhone();
  const auto answers =
      InParallel(200, [&](int i) { return (i % 2 == 0 ? *one : *other).LogIn(phone); });

  EXPECT_THAT(WaitsOf(answers), Each(Ge(milliseconds(1))));
  EXPECT_EQ(CountOf(answers, "OK"), SendsTo(phone));
  EXPECT_LE(CountOf(answers, "OK"), 20) << WordsOf(answers);
  EXPECT_EQ(CountOf(answers, "OK") + CountOf(answers, "RESEND_TOO_SOON") +
                CountOf(answers, "SEND_LIMIT_REACHED"),
            200)
      << WordsOf(answers);
  while (SendsTo(phone) < 20) ASSERT_TRUE(one->LogIn(phone));
  EXPECT_EQ(WordOf(other->LogIn(phone)), "SEND_LIMIT_REACHED");
}

// A caller who waited for the row judges by the time at which it began, before that of the last
// send.
TEST_F(SendLimitTest, C3_NoWaitIsNegativeNotEvenForWhoWaitedForTheRowUntilTheCooldownWasOver) {
  const std::string phone = NewPhone();
  ASSERT_TRUE(auth().LogIn(phone));
  Started answer;
  std::jthread waiting;
  owner().Script("BEGIN");
  LetPass(phone, "1 hour");
  waiting = std::jthread([&] { answer = auth().LogIn(phone); });
  owner().Script(
      "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted"
      " AND transactionid = pg_current_xact_id()::xid) LOOP PERFORM pg_sleep(0.001); END LOOP; END "
      "$$");
  owner().Run("UPDATE auth.numbers SET next_send_at = clock_timestamp() WHERE phone_hash = $1",
              HashOf(phone));
  owner().Script("COMMIT");
  waiting.join();
  ASSERT_EQ(WordOf(answer), "RESEND_TOO_SOON");
  EXPECT_THAT(answer.error().retry_after, AllOf(Ge(milliseconds(1)), Le(seconds(1))));
}

TEST_F(SendLimitTest, C3_ARefusedSendMakesNoVerificationThatCouldBeRedeemed) {
  const std::string phone = NewPhone();
  ASSERT_TRUE(auth().LogIn(phone));
  for (int i = 0; i < 3; ++i) ASSERT_FALSE(auth().LogIn(phone));
  EXPECT_EQ(VerificationsOf(phone), 1);
  EXPECT_EQ(SendsTo(phone), 1);
}

TEST_F(SendLimitTest, OTP5_AResendKeepsTheChallengeAndNumbersTheSend) {
  const std::string phone = NewPhone();
  const auto started = Must(auth().SignUp({.phone_number = phone, .locale = "de-AT"}));
  const std::string id = started.verification_id.Reveal();
  LetPass(phone, "30 seconds");
  const auto resent = Must(auth().Resend(id));
  EXPECT_EQ(resent.verification_id.Reveal(), id);
  EXPECT_GT(resent.expires_at, started.expires_at);
  EXPECT_EQ(
      owner().One<Instant>("SELECT expires_at FROM auth.verifications WHERE phone = $1", phone),
      resent.expires_at);

  const auto rows = RowsOfKey(owner(), SubjectOf(phone));
  ASSERT_EQ(rows.size(), 2U);
  const auto first = Parsed<events::v1::SendOtp>(rows[0]);
  const auto second = Parsed<events::v1::SendOtp>(rows[1]);
  EXPECT_EQ(first.send_number(), 1);
  EXPECT_EQ(second.send_number(), 2);
  EXPECT_EQ(first.challenge_id(), second.challenge_id());
  EXPECT_EQ(second.locale(), "de-AT");
  EXPECT_NE(first.sealed_recipient(), second.sealed_recipient());
}

TEST_F(SendLimitTest, C3_C4_NothingIsResentForAVerificationThatIsUsedExpiredOrUnknown) {
  const std::string used = NewPhone();
  const std::string id_of_used = IdOfSignUp(used);
  ASSERT_TRUE(auth().Verify(id_of_used, kRightCode));
  const std::string expired = NewPhone();
  const std::string id_of_expired = IdOfSignUp(expired);
  owner().Run("UPDATE auth.verifications SET expires_at = now() WHERE phone = $1", expired);
  LetPass(expired, "1 hour");

  EXPECT_EQ(WordOf(auth().Resend(id_of_used)), "CODE_REJECTED");
  EXPECT_EQ(WordOf(auth().Resend(id_of_expired)), "CODE_REJECTED");
  EXPECT_EQ(WordOf(auth().Resend("AAAAAAAAAAAAAAAAAAAAAA")), "CODE_REJECTED");
  EXPECT_EQ(WordOf(auth().Resend("")), "FIELD_INVALID");
  EXPECT_EQ(SendsTo(used), 1);
  EXPECT_EQ(SendsTo(expired), 1);
}

}  // namespace
}  // namespace countersign::auth
