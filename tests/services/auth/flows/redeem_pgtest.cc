#include <set>

#include "libs/crypto/sealed_box.h"
#include "tests/services/auth/flows/flow_test.h"

namespace countersign::auth {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

namespace v1 = countersign::events::v1;

class RedeemCodeTest : public FlowTest {
 protected:
  void SetStatus(const std::string& phone, std::string_view status) {
    owner().Run("UPDATE auth.users SET status = $2 WHERE phone = $1", phone, status);
  }
  [[nodiscard]] UserId UserOf(const std::string& phone) {
    return owner().One<UserId>("SELECT id FROM auth.users WHERE phone = $1", phone);
  }
  [[nodiscard]] std::vector<LogRow> EventsOf(const std::string& phone) {
    return RowsOfKey(owner(), ToString(UserOf(phone)));
  }
  // Of the newest event, which must be a failed log-in.
  [[nodiscard]] std::string LastReason(const std::string& key) {
    const auto rows = RowsOfKey(owner(), key);
    if (rows.empty() || rows.back().type != "session.login_failed")
      return "no session.login_failed";
    return Parsed<v1::SessionLoginFailed>(rows.back()).reason();
  }
  [[nodiscard]] std::int64_t UsedOf(const std::string& phone) {
    return owner().One<std::int64_t>(
        "SELECT count(*) FROM auth.verifications WHERE phone = $1 AND used_at IS NOT NULL", phone);
  }
};

TEST_F(RedeemCodeTest, C1_ARightCodeActivatesAndBeginsASessionWithItsEvents) {
  const std::string phone = NewPhone();
  const std::string id = IdOfSignUp(phone);
  const BegunSession begun = Must(auth().Verify(id, kRightCode));

  EXPECT_EQ(StatusOf(phone), "active");
  EXPECT_EQ(UserOf(phone), begun.user_id);
  const auto rows = EventsOf(phone);
  EXPECT_THAT(TypesOf(rows), ElementsAre("user.created", "user.verified", "session.logged_in"));
  EXPECT_EQ(rows.back().seq, 3);
  const auto logged_in = Parsed<v1::SessionLoggedIn>(rows.back());
  EXPECT_EQ(logged_in.session_id(), ToString(begun.tokens.session_id));
  EXPECT_THAT(logged_in.authentication_methods(), ElementsAre("otp", "sms"));
  EXPECT_TRUE(Must(auth().Introspect(begun.tokens.access_token.Reveal())).has_value());
  EXPECT_TRUE(auth().Refresh(begun.tokens.refresh_token.Reveal()));
}

TEST_F(RedeemCodeTest, C1_AWrongCodeChangesNoStatusAndIsRemembered) {
  const std::string phone = NewPhone();
  const std::string id = IdOfSignUp(phone);
  EXPECT_EQ(WordOf(auth().Verify(id, kWrongCode)), "CODE_REJECTED");
  EXPECT_EQ(StatusOf(phone), "pending");
  EXPECT_EQ(UsedOf(phone), 0);
  EXPECT_EQ(SessionsOf(UserOf(phone)), 0);
  const auto rows = EventsOf(phone);
  ASSERT_THAT(TypesOf(rows), ElementsAre("user.created", "session.login_failed"));
  const auto failed = Parsed<v1::SessionLoginFailed>(rows.back());
  EXPECT_EQ(failed.reason(), "wrong");
  EXPECT_EQ(failed.step(), "verify_phone_number");
  EXPECT_EQ(WordOf(auth().Verify(id, kRightCode)), "OK");
}

TEST_F(RedeemCodeTest, C4_OTP3_SixtyFourParallelRedemptionsOfOneCodeBeginOneSession) {
  const auto other = NewInstallation();
  const std::string phone = NewPhone();
  const std::string sign_up = IdOfSignUp(phone);
  const auto verified = InParallel(
      64, [&](int i) { return (i % 2 == 0 ? auth() : *other).Verify(sign_up, kRightCode); });
  EXPECT_EQ(CountOf(verified, "OK"), 1) << WordsOf(verified);
  EXPECT_EQ(CountOf(verified, "CODE_REJECTED"), 63) << WordsOf(verified);
  EXPECT_EQ(SessionsOf(UserOf(phone)), 1);

  const std::string log_in = IdOfLogIn(phone);
  const auto validated = InParallel(
      64, [&](int i) { return (i % 2 == 0 ? auth() : *other).ValidateLogIn(log_in, kRightCode); });
  EXPECT_EQ(CountOf(validated, "OK"), 1) << WordsOf(validated);
  EXPECT_EQ(CountOf(validated, "CODE_REJECTED"), 63) << WordsOf(validated);
  EXPECT_EQ(SessionsOf(UserOf(phone)), 2);
  EXPECT_EQ(UsedOf(phone), 2);
}

TEST_F(RedeemCodeTest, C4_OTP3_AUsedCodeIsRefusedAndOtpIsNotAskedAgain) {
  const std::string phone = NewPhone();
  const std::string id = IdOfSignUp(phone);
  ASSERT_TRUE(auth().Verify(id, kRightCode));
  EXPECT_EQ(WordOf(auth().Verify(id, kRightCode)), "CODE_REJECTED");
  EXPECT_THAT(otp().Guesses(), SizeIs(1));
  EXPECT_EQ(LastReason(ToString(UserOf(phone))), "used");
}

TEST_F(RedeemCodeTest, C4_OTP2_AnExpiredCodeIsRefusedByTheDatabasesTime) {
  const std::string phone = NewPhone();
  const std::string id = IdOfSignUp(phone);
  owner().Run("UPDATE auth.verifications SET expires_at = now() WHERE phone = $1", phone);
  EXPECT_EQ(WordOf(auth().Verify(id, kRightCode)), "CODE_REJECTED");
  EXPECT_EQ(LastReason(ToString(UserOf(phone))), "expired");
  EXPECT_EQ(StatusOf(phone), "pending");
}

TEST_F(RedeemCodeTest, C4_OTP2_ACodeThatExpiresWhileOtpJudgesItIsRefused) {
  const std::string phone = NewPhone();
  const std::string id = IdOfSignUp(phone);
  otp().Play([&](const CodeGuess&, const Answer<Verdict>& answer) {
    owner().Run("UPDATE auth.verifications SET expires_at = now() WHERE phone = $1", phone);
    answer(Verdict::kApproved);
  });
  EXPECT_EQ(WordOf(auth().Verify(id, kRightCode)), "CODE_REJECTED");
  EXPECT_EQ(LastReason(ToString(UserOf(phone))), "expired");
  EXPECT_EQ(UsedOf(phone), 0);
  EXPECT_EQ(WordOf(auth().LogIn(phone)), "RESEND_TOO_SOON") << "it ended the cooldown";
  EXPECT_EQ(SessionsOf(UserOf(phone)), 0);
  EXPECT_EQ(StatusOf(phone), "pending");
}

TEST_F(RedeemCodeTest, C4_OTP7_ACodeOfOnePurposeIsRefusedForTheOther) {
  const Person person = NewPerson();
  const std::string log_in = IdOfLogIn(person.phone);
  EXPECT_EQ(WordOf(auth().Verify(log_in, kRightCode)), "CODE_REJECTED");
  EXPECT_EQ(LastReason(ToString(person.user_id)), "not_found");
  LetPass(person.phone, "1 hour");
  const std::string sign_up = IdOfSignUp(person.phone);
  EXPECT_EQ(WordOf(auth().ValidateLogIn(sign_up, kRightCode)), "CODE_REJECTED");
  EXPECT_THAT(otp().Guesses(), SizeIs(1)) << "the wrong entrance is no guess";
  EXPECT_EQ(SessionsOf(person.user_id), 1);
  EXPECT_EQ(WordOf(auth().ValidateLogIn(log_in, kRightCode)), "OK");
}

TEST_F(RedeemCodeTest, C4_EmptyMalformedAndUnknownAreRefusedWithoutAnEvent) {
  const std::int64_t before = AllRows(owner()).size();
  const std::string id = "AAAAAAAAAAAAAAAAAAAAAA";
  EXPECT_EQ(WordOf(auth().Verify(id, "")), "FIELD_INVALID");
  EXPECT_EQ(WordOf(auth().Verify("", kRightCode)), "FIELD_INVALID");
  EXPECT_EQ(WordOf(auth().Verify(id + "=", kRightCode)), "FIELD_INVALID");
  EXPECT_EQ(WordOf(auth().Verify(id, "' OR 1=1")), "FIELD_INVALID");
  EXPECT_EQ(WordOf(auth().Verify(id, kRightCode)), "CODE_REJECTED");
  EXPECT_EQ(WordOf(auth().ValidateLogIn(id, kRightCode)), "CODE_REJECTED");
  EXPECT_THAT(otp().Guesses(), IsEmpty());
  EXPECT_EQ(static_cast<std::int64_t>(AllRows(owner()).size()), before);
}

TEST_F(RedeemCodeTest, C4_EveryVerdictButApprovedIsRefusedAlikeAndRememberedExactly) {
  const std::string phone = NewPhone();
  const std::string id = IdOfSignUp(phone);
  const std::pair<Verdict, std::string> verdicts[] = {{Verdict::kWrong, "wrong"},
                                                      {Verdict::kExhausted, "exhausted"},
                                                      {Verdict::kExpired, "expired"},
                                                      {Verdict::kNotFound, "not_found"},
                                                      {Verdict::kUsed, "used"}};
  for (const auto& [verdict, reason] : verdicts) {
    otp().Play(
        [verdict = verdict](const CodeGuess&, const Answer<Verdict>& answer) { answer(verdict); });
    EXPECT_EQ(WordOf(auth().Verify(id, kRightCode)), "CODE_REJECTED");
    EXPECT_EQ(LastReason(ToString(UserOf(phone))), reason);
  }
  EXPECT_EQ(StatusOf(phone), "pending");
}

TEST_F(RedeemCodeTest, C2_APendingAccountIsToldOfOnlyAfterARightCode) {
  const std::string phone = NewPhone();
  ASSERT_TRUE(auth().SignUp({.phone_number = phone}));
  LetPass(phone, "1 minute");
  const std::string id = IdOfLogIn(phone);
  EXPECT_EQ(WordOf(auth().ValidateLogIn(id, kWrongCode)), "CODE_REJECTED");
  const auto right = auth().ValidateLogIn(id, kRightCode);
  EXPECT_EQ(WordOf(right), "ACCOUNT_NOT_VERIFIED");
  EXPECT_EQ(right.error().kind(), ErrorKind::kPrecondition);
  EXPECT_EQ(StatusOf(phone), "pending");
  EXPECT_EQ(SessionsOf(UserOf(phone)), 0);
  EXPECT_EQ(LastReason(ToString(UserOf(phone))), "account_not_verified");
  EXPECT_EQ(WordOf(auth().ValidateLogIn(id, kRightCode)), "CODE_REJECTED") << "it was used up";
}

TEST_F(RedeemCodeTest, C2_TOK14_ASuspendedAccountIsToldOfOnlyAfterARightCode) {
  const Person person = NewPerson();
  const std::string log_in = IdOfLogIn(person.phone);
  SetStatus(person.phone, "suspended");  // between start and finish
  EXPECT_EQ(WordOf(auth().ValidateLogIn(log_in, kWrongCode)), "CODE_REJECTED");
  const auto right = auth().ValidateLogIn(log_in, kRightCode);
  EXPECT_EQ(WordOf(right), "ACCOUNT_SUSPENDED");
  EXPECT_EQ(right.error().kind(), ErrorKind::kPrecondition);

  const std::string sign_up = IdOfSignUp(person.phone);
  EXPECT_EQ(WordOf(auth().Verify(sign_up, kWrongCode)), "CODE_REJECTED");
  EXPECT_EQ(WordOf(auth().Verify(sign_up, kRightCode)), "ACCOUNT_SUSPENDED");
  EXPECT_EQ(StatusOf(person.phone), "suspended");
  EXPECT_EQ(SessionsOf(person.user_id), 1);
}

TEST_F(RedeemCodeTest, TOK14_AnAccountSuspendedWhileOtpJudgesTheCodeGetsNoSession) {
  const Person person = NewPerson();
  const std::string id = IdOfLogIn(person.phone);
  otp().Play([&](const CodeGuess&, const Answer<Verdict>& answer) {
    SetStatus(person.phone, "suspended");
    answer(Verdict::kApproved);
  });
  EXPECT_EQ(WordOf(auth().ValidateLogIn(id, kRightCode)), "ACCOUNT_SUSPENDED");
  EXPECT_EQ(SessionsOf(person.user_id), 1);
}

// The process that asked is gone after otp's verdict: it neither commits nor answers.
TEST_F(RedeemCodeTest, D1_AuthKilledBetweenOtpsAnswerAndItsOwnCommitBurnsNothing) {
  const Person person = NewPerson();
  const std::string id = IdOfLogIn(person.phone);
  const std::size_t before = otp().Guesses().size();
  {
    const auto dying = NewInstallation();
    std::latch approved(1);
    otp().Play([&](const CodeGuess&, const Answer<Verdict>&) { approved.count_down(); });
    const rpc::CallContext call = dying->NewCall();
    dying->BeginValidatingLogIn(call, id, kRightCode,
                                [](const Result<BegunSession>&) { FAIL() << "nobody answered"; });
    approved.wait();
  }
  EXPECT_EQ(SessionsOf(person.user_id), 1);
  EXPECT_EQ(UsedOf(person.phone), 1);

  otp().Play({});
  const auto answers = InParallel(16, [&](int) { return auth().ValidateLogIn(id, kRightCode); });
  EXPECT_EQ(CountOf(answers, "OK"), 1) << WordsOf(answers);
  EXPECT_EQ(SessionsOf(person.user_id), 2);
  std::set<Hash> claims;
  const auto guesses = otp().Guesses();
  for (std::size_t i = before; i < guesses.size(); ++i) claims.insert(guesses[i].claim_id);
  EXPECT_THAT(claims, SizeIs(1)) << "otp must see one guess, however often it is asked";
}

TEST_F(RedeemCodeTest, OTP4_AnotherCodeOrAnotherVerificationIsAnotherClaim) {
  const Person person = NewPerson();
  const std::string first = IdOfLogIn(person.phone);
  ASSERT_FALSE(auth().ValidateLogIn(first, kWrongCode));
  ASSERT_TRUE(auth().ValidateLogIn(first, kRightCode));
  ASSERT_TRUE(auth().ValidateLogIn(IdOfLogIn(person.phone), kRightCode));
  const auto guesses = otp().Guesses();
  ASSERT_THAT(guesses, SizeIs(4));  // the sign-up's first
  std::set<Hash> claims;
  for (const CodeGuess& guess : guesses) claims.insert(guess.claim_id);
  EXPECT_THAT(claims, SizeIs(4));
  EXPECT_EQ(guesses[1].challenge_id, guesses[2].challenge_id);
  EXPECT_NE(guesses[2].challenge_id, guesses[3].challenge_id);
  EXPECT_EQ(guesses[3].purpose, Purpose::kLogin);
}

TEST_F(RedeemCodeTest, I8_NothingIsAcceptedNorBurntWhileOtpIsAway) {
  const std::string phone = NewPhone();
  const std::string id = IdOfSignUp(phone);
  otp().Play([](const CodeGuess&, const Answer<Verdict>& answer) {
    answer(Fail(reasons::kDependencyUnavailable));
  });
  EXPECT_EQ(WordOf(auth().Verify(id, kRightCode)), "DEPENDENCY_UNAVAILABLE");
  EXPECT_EQ(StatusOf(phone), "pending");
  EXPECT_THAT(TypesOf(EventsOf(phone)), ElementsAre("user.created"));
  otp().Play({});
  EXPECT_EQ(WordOf(auth().Verify(id, kRightCode)), "OK");
}

TEST_F(RedeemCodeTest, PII1_DeviceAndAddressAreSealedUnderThePersonsOwnKey) {
  const Person person = NewPerson();
  const LogRow row = RowsOfKey(owner(), ToString(person.user_id)).back();
  const auto event = Parsed<v1::SessionLoggedIn>(row);
  const auto wrapped = owner().Run(
      "SELECT person_key, person_key_kek FROM auth.users WHERE id = $1", person.user_id);
  const auto key = keys().persons.Unwrap(
      person.user_id.value,
      {.wrapped = wrapped.Only().Get<Bytes>(0), .kek_id = wrapped.Only().Get<std::string>(1)});
  ASSERT_TRUE(key);
  const auto box = crypto::ParseSealedBox(event.sealed_personal());
  ASSERT_TRUE(box);
  const auto opened =
      crypto::OpenSealedBox(*key, *box, ToString(row.event_id) + "/sealed_personal");
  ASSERT_TRUE(opened);
  v1::PersonalData personal;
  ParseInto(*opened, personal);
  EXPECT_EQ(personal.device_id(), "phone-1");
  EXPECT_EQ(personal.ip_address(), "192.0.2.7");
  EXPECT_EQ(row.payload.find("192.0.2.7"), std::string::npos);
}

TEST_F(RedeemCodeTest, PII1_NothingPersonalIsWrittenOnceThePersonsKeyIsDestroyed) {
  const Person person = NewPerson();
  owner().Run("UPDATE auth.users SET person_key = NULL WHERE id = $1", person.user_id);
  ASSERT_TRUE(auth().ValidateLogIn(IdOfLogIn(person.phone), kRightCode));
  const auto rows = RowsOfKey(owner(), ToString(person.user_id));
  ASSERT_EQ(rows.back().type, "session.logged_in");
  EXPECT_EQ(Parsed<v1::SessionLoggedIn>(rows.back()).sealed_personal(), "");
}

}  // namespace
}  // namespace countersign::auth
