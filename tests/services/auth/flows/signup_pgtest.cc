#include "tests/services/auth/flows/flow_test.h"

namespace countersign::auth {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::Le;

class SignupFlowTest : public FlowTest {
 protected:
  // As the owner, who alone can break the log: every insert fails until Mend.
  void BreakTheLog() {
    owner().Script(
        "CREATE FUNCTION public.refuse_insert() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'planted'; END $$;"
        "CREATE TRIGGER planted BEFORE INSERT ON auth.event_log FOR EACH ROW"
        " EXECUTE FUNCTION public.refuse_insert()");
  }
  void MendTheLog() {
    owner().Script("DROP TRIGGER planted ON auth.event_log; DROP FUNCTION public.refuse_insert()");
  }
  [[nodiscard]] std::string NumberRow(const std::string& phone) {
    return owner().One<std::string>(
        "SELECT coalesce((SELECT n::text FROM auth.numbers n WHERE phone_hash = $1), '')",
        HashOf(phone));
  }
  [[nodiscard]] std::int64_t VerificationsOf(const std::string& phone) {
    return owner().One<std::int64_t>("SELECT count(*) FROM auth.verifications WHERE phone = $1",
                                     phone);
  }
};

TEST_F(SignupFlowTest, A1_MakesOnePendingUserOneUserCreatedAndOneSendOtp) {
  const std::string phone = NewPhone();
  const auto started = Must(auth().SignUp({.phone_number = phone, .name = "Ada Lovelace"}));

  EXPECT_EQ(started.verification_id.Reveal().size(), kVerificationIdCharacters);
  EXPECT_EQ(started.expires_at - started.resend_after, std::chrono::minutes(5) - seconds(30));
  EXPECT_EQ(UsersOf(phone), 1);
  EXPECT_EQ(StatusOf(phone), "pending");
  const std::string user_id =
      owner().One<std::string>("SELECT id FROM auth.users WHERE phone = $1", phone);
  EXPECT_THAT(TypesOf(RowsOfKey(owner(), user_id)), ElementsAre("user.created"));
  EXPECT_THAT(TypesOf(RowsOfKey(owner(), SubjectOf(phone))), ElementsAre("otp.send"));
}

TEST_F(SignupFlowTest, A1_I7_LeavesNothingBehindWhenTheEventCannotBeWritten) {
  const std::string fresh = NewPhone();
  const std::string seen = NewPhone();
  ASSERT_TRUE(auth().SignUp({.phone_number = seen}));
  LetPass(seen, "2 hours");
  const std::string before = NumberRow(seen);

  BreakTheLog();
  const auto of_fresh = auth().SignUp({.phone_number = fresh});
  const auto of_seen = auth().SignUp({.phone_number = seen});
  const auto login = auth().LogIn(seen);
  MendTheLog();

  EXPECT_EQ(WordOf(of_fresh), "INTERNAL");
  EXPECT_EQ(WordOf(of_seen), "INTERNAL");
  EXPECT_EQ(WordOf(login), "INTERNAL");
  EXPECT_EQ(UsersOf(fresh), 0);
  EXPECT_EQ(VerificationsOf(fresh), 0);
  EXPECT_EQ(NumberRow(fresh), "");
  EXPECT_EQ(NumberRow(seen), before);
  EXPECT_EQ(VerificationsOf(seen), 1);
  // Nothing was counted: the same numbers are served at once.
  EXPECT_EQ(WordOf(auth().SignUp({.phone_number = fresh})), "OK");
  EXPECT_EQ(WordOf(auth().SignUp({.phone_number = seen})), "OK");
}

TEST_F(SignupFlowTest, A1_I7_NeedsTheRightToWriteTheLogToMakeAUser) {
  const std::string phone = NewPhone();
  owner().Script("REVOKE INSERT ON auth.event_log FROM countersign_auth");
  const auto refused = auth().SignUp({.phone_number = phone});
  owner().Script("GRANT INSERT ON auth.event_log TO countersign_auth");
  EXPECT_EQ(WordOf(refused), "INTERNAL");
  EXPECT_EQ(UsersOf(phone), 0);
  EXPECT_EQ(NumberRow(phone), "");
}

TEST_F(SignupFlowTest, I7_NoRedemptionWithoutItsEvent) {
  const std::string phone = NewPhone();
  const std::string id = IdOfSignUp(phone);
  BreakTheLog();
  const auto refused = auth().Verify(id, kRightCode);
  MendTheLog();
  EXPECT_EQ(WordOf(refused), "INTERNAL");
  EXPECT_EQ(StatusOf(phone), "pending");
  EXPECT_EQ(WordOf(auth().Verify(id, kRightCode)), "OK") << "the code was burnt by our own fault";
}

TEST_F(SignupFlowTest, A2_FiftyParallelSignUpsOfOneNumberMakeOneUserAndOneSend) {
  const std::string phone = NewPhone();
  const auto answers = InParallel(50, [&](int) { return auth().SignUp({.phone_number = phone}); });

  EXPECT_EQ(CountOf(answers, "OK"), 1) << WordsOf(answers);
  EXPECT_EQ(CountOf(answers, "RESEND_TOO_SOON"), 49) << WordsOf(answers);
  for (const auto& answer : answers) {
    if (answer) continue;
    EXPECT_THAT(answer.error().retry_after, AllOf(Ge(milliseconds(1)), Le(seconds(30))));
  }
  EXPECT_EQ(UsersOf(phone), 1);
  EXPECT_EQ(SendsTo(phone), 1);
}

TEST_F(SignupFlowTest, A2_TheLimitHoldsForAnyNumberOfReplicas) {
  const auto other = NewInstallation();
  for (int round = 0; round < 5; ++round) {
    const std::string phone = NewPhone();
    const auto answers = InParallel(50, [&](int i) {
      Installation& replica = i % 2 == 0 ? auth() : *other;
      return i % 5 == 0 ? replica.LogIn(phone) : replica.SignUp({.phone_number = phone});
    });
    ASSERT_EQ(CountOf(answers, "OK"), 1) << WordsOf(answers);
    ASSERT_EQ(CountOf(answers, "RESEND_TOO_SOON"), 49) << WordsOf(answers);
    ASSERT_LE(UsersOf(phone), 1);
    ASSERT_EQ(SendsTo(phone), 1);
  }
}

TEST_F(SignupFlowTest, A2_AnActiveNumberGetsTheSameAnswerAndNoSecondAccount) {
  const Person person = NewPerson();
  const auto again = Must(auth().SignUp({.phone_number = person.phone, .name = "Somebody Else"}));
  EXPECT_EQ(again.verification_id.Reveal().size(), kVerificationIdCharacters);
  EXPECT_EQ(UsersOf(person.phone), 1);
  EXPECT_EQ(WordOf(auth().Verify(again.verification_id.Reveal(), kWrongCode)), "CODE_REJECTED");
  EXPECT_EQ(WordOf(auth().Verify(again.verification_id.Reveal(), kRightCode)),
            "ALREADY_REGISTERED");
  EXPECT_EQ(
      owner().One<std::string>("SELECT last_name FROM auth.users WHERE phone = $1", person.phone),
      "");
}

TEST_F(SignupFlowTest, A2_APendingNumberGetsANewCodeAfterTheCooldownAndKeepsItsAccount) {
  const std::string phone = NewPhone();
  const std::string first = IdOfSignUp(phone);
  EXPECT_EQ(WordOf(auth().SignUp({.phone_number = phone})), "RESEND_TOO_SOON");
  LetPass(phone, "31 seconds");
  const std::string second = IdOfSignUp(phone);
  EXPECT_NE(first, second);
  EXPECT_EQ(UsersOf(phone), 1);
  EXPECT_EQ(SendsTo(phone), 2);
  EXPECT_EQ(WordOf(auth().Verify(second, kRightCode)), "OK");
  EXPECT_EQ(StatusOf(phone), "active");
}

}  // namespace
}  // namespace countersign::auth
