// Mistakes that comparable services were seen to make on this path. Each test names one and shows
// that it is not ours.
#include <list>
#include <set>

#include "libs/crypto/digest.h"
#include "tests/services/auth/flows/flow_test.h"

namespace countersign::auth {
namespace {

using std::chrono::seconds;
using ::testing::IsEmpty;

namespace v1 = countersign::events::v1;

using MistakeNotMade = FlowTest;

TEST_F(MistakeNotMade, SignUpsOfDifferentPeopleFailEachOther) {
  const auto other = NewInstallation();
  constexpr int kPeople = 200;
  std::vector<std::string> phones;
  phones.reserve(kPeople);
  for (int i = 0; i < kPeople; ++i) phones.push_back(NewPhone());
  const auto answers = InParallel(kPeople, [&](int i) {
    return (i % 2 == 0 ? auth() : *other).SignUp({.phone_number = phones[std::size_t(i)]});
  });
  EXPECT_EQ(CountOf(answers, "OK"), kPeople) << WordsOf(answers);
}

TEST_F(MistakeNotMade, ASlowCodeCheckStopsTokenChecksAndSignUps) {
  const Person person = NewPerson();
  const std::string id = IdOfLogIn(person.phone);
  std::mutex mutex;
  std::list<Answer<Verdict>> held;
  otp().Play([&](const CodeGuess&, Answer<Verdict> answer) {
    const std::lock_guard lock(mutex);
    held.push_back(std::move(answer));
  });
  constexpr int kSlow = 64;
  std::latch answered(kSlow);
  const rpc::CallContext call = auth().NewCall();
  for (int i = 0; i < kSlow; ++i) {
    auth().BeginValidatingLogIn(call, id, kRightCode,
                                [&](const Result<BegunSession>&) { answered.count_down(); });
  }
  // None of the 64 has its verdict, and everybody else is served.
  EXPECT_TRUE(Must(auth().Introspect(person.tokens.access_token.Reveal())).has_value());
  EXPECT_TRUE(auth().GetProfile(person.tokens.access_token.Reveal()));
  EXPECT_TRUE(auth().Refresh(person.tokens.refresh_token.Reveal()));
  EXPECT_TRUE(auth().SignUp({.phone_number = NewPhone()}));
  EXPECT_EQ(owner().One<std::int64_t>(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND state = 'idle in transaction'"),
            0)
      << "a transaction is open while otp is asked";
  while (!answered.try_wait()) {
    std::list<Answer<Verdict>> now;
    {
      const std::lock_guard lock(mutex);
      now.swap(held);
    }
    for (const auto& answer : now) answer(Verdict::kWrong);
    std::this_thread::yield();
  }
}

TEST_F(MistakeNotMade, ACodeIsSentAndThereIsNoUserForIt) {
  const std::string phone = NewPhone();
  ASSERT_TRUE(auth().SignUp({.phone_number = phone}));
  EXPECT_EQ(owner().One<std::int64_t>(
                "SELECT count(DISTINCT l.xid) FROM auth.event_log l WHERE l.key IN ("
                "  SELECT id::text FROM auth.users WHERE phone = $1"
                "  UNION SELECT subject_id::text FROM auth.numbers WHERE phone_hash = $2)",
                phone, HashOf(phone)),
            1)
      << "user and command to send were not written in one transaction";
}

TEST_F(MistakeNotMade, OneCodeUsedThirtyTwoTimesInParallelOpensTwentySessions) {
  const Person person = NewPerson();
  const std::string id = IdOfLogIn(person.phone);
  const auto answers = InParallel(32, [&](int) { return auth().ValidateLogIn(id, kRightCode); });
  EXPECT_EQ(CountOf(answers, "OK"), 1) << WordsOf(answers);
  EXPECT_EQ(SessionsOf(person.user_id), 2);
}

TEST_F(MistakeNotMade, OneRefreshTokenUsedSixtyFourTimesInParallelHasEighteenChildren) {
  const Person person = NewPerson();
  const auto answers =
      InParallel(64, [&](int) { return auth().Refresh(person.tokens.refresh_token.Reveal()); });
  std::set<std::string> children;
  for (const auto& answer : answers) children.insert(Must(answer).refresh_token.Reveal());
  EXPECT_EQ(children.size(), 1U);
}

TEST_F(MistakeNotMade, TheRightCodeIsAcceptedAfterFiveHundredWrongOnes) {
  const std::string phone = NewPhone();
  const std::string id = IdOfSignUp(phone);
  // Counts as otp does: five claims are looked at. What it says of the right code, too, is final.
  std::set<Hash> claims;
  otp().Play([&](const CodeGuess& guess, const Answer<Verdict>& answer) {
    claims.insert(guess.claim_id);
    answer(claims.size() > 5                   ? Verdict::kExhausted
           : guess.code.Reveal() == kRightCode ? Verdict::kApproved
                                               : Verdict::kWrong);
  });
  for (int n = 0; n < 500; ++n)
    ASSERT_EQ(WordOf(auth().Verify(id, std::to_string(400'000 + n))), "CODE_REJECTED");
  EXPECT_EQ(claims.size(), 500U) << "guesses that otp cannot tell apart are counted as one";
  EXPECT_EQ(WordOf(auth().Verify(id, kRightCode)), "CODE_REJECTED");
  EXPECT_EQ(StatusOf(phone), "pending");
}

TEST_F(MistakeNotMade, ALimitIsKeyedByWhatTheClientMaySay) {
  const std::string phone = NewPhone();
  ASSERT_TRUE(auth().SignUp({.phone_number = phone, .locale = "de", .device_id = "a"}));
  const std::string spaced = "+49 (151) " + phone.substr(6, 4) + "-" + phone.substr(10);
  for (const std::string& spelling : {phone, spaced, " " + phone}) {
    const auto again = auth().SignUp({.phone_number = spelling,
                                      .name = "Somebody Else",
                                      .channel = Channel::kVoice,
                                      .locale = "en",
                                      .device_id = "b"});
    EXPECT_EQ(WordOf(again), "RESEND_TOO_SOON") << spelling;
    EXPECT_EQ(WordOf(auth().LogIn(spelling)), "RESEND_TOO_SOON") << spelling;
  }
  EXPECT_EQ(SendsTo(phone), 1);
}

TEST_F(MistakeNotMade, ParallelSignUpsOfOneNumberAreServerErrorsThatNameConstraintAndNumber) {
  const std::string phone = NewPhone();
  const auto answers = InParallel(16, [&](int) { return auth().SignUp({.phone_number = phone}); });
  EXPECT_EQ(CountOf(answers, "OK"), 1);
  for (const auto& answer : answers) {
    if (answer) continue;
    EXPECT_EQ(answer.error().kind(), ErrorKind::kExhausted);
    EXPECT_EQ(answer.error().detail, "");
    EXPECT_EQ(answer.error().field, "");
  }
}

TEST_F(MistakeNotMade, NumbersAndCodesLieInTheDatabaseUnderABareHash) {
  const std::string phone = NewPhone();
  const std::string id = IdOfSignUp(phone);
  ASSERT_FALSE(auth().Verify(id, kWrongCode));
  const auto guessed = [&](std::string_view text) {
    return owner().One<std::int64_t>("SELECT count(*) FROM auth.numbers WHERE phone_hash = $1",
                                     crypto::Sha256(AsBytes(text)));
  };
  EXPECT_EQ(guessed(phone), 0);
  EXPECT_EQ(guessed(phone.substr(1)), 0);
  for (const CodeGuess& guess : otp().Guesses()) {
    EXPECT_NE(guess.claim_id, crypto::Sha256(AsBytes(guess.code.Reveal())));
    EXPECT_NE(guess.claim_id, crypto::Sha256(AsBytes(id + guess.code.Reveal())));
  }
}

TEST_F(MistakeNotMade, EveryStatementOpensAConnection) {
  const auto backends = [&] {
    return owner().One<std::string>(
        "SELECT coalesce(string_agg(pid::text, ',' ORDER BY pid), '') FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()");
  };
  const Person person = NewPerson();
  ASSERT_TRUE(auth().Introspect(person.tokens.access_token.Reveal()));
  ASSERT_TRUE(auth().GetProfile(person.tokens.access_token.Reveal()));
  ASSERT_TRUE(auth().Refresh(person.tokens.refresh_token.Reveal()));
  WaitForConnections(1 + Installation::kConnections);
  const std::string before = backends();
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(auth().SignUp({.phone_number = NewPhone()}));
    ASSERT_TRUE(auth().Introspect(person.tokens.access_token.Reveal()));
    ASSERT_TRUE(auth().GetProfile(person.tokens.access_token.Reveal()));
  }
  EXPECT_EQ(backends(), before);
}

TEST_F(MistakeNotMade, ACallerCanMakeAnEventTooLargeForTheBroker) {
  std::string name;
  for (int i = 0; i < 64; ++i) name += "\U0001F511";
  std::string device;
  for (int i = 0; i < 128; ++i) device += "\U0001F511";
  const std::string label(63, 'a');
  const std::string phone = NewPhone();
  const auto started = auth().SignUp(
      {.phone_number = phone,
       .first_name = name,
       .last_name = name,
       .email = std::string(64, 'x') + "@" + label + "." + label + "." + std::string(61, 'b'),
       .salutation = name.substr(0, 4UL * 32),
       .locale = "zh-Hant-x-abcdefgh-abcdefgh-abcdefg",
       .device_id = device});
  ASSERT_TRUE(started) << started.error().field;
  ASSERT_TRUE(auth().Verify(started->verification_id.Reveal(), kRightCode));
  for (const LogRow& row : AllRows(owner())) ASSERT_LT(row.payload.size(), 8192U) << row.type;
}

TEST_F(MistakeNotMade, EventsAreStampedWithTheYearOne) {
  const Person person = NewPerson();
  const LogRow row = RowsOfKey(owner(), ToString(person.user_id)).at(0);
  EXPECT_LT(
      owner().One<double>("SELECT abs(extract(epoch FROM occurred_at - $2::timestamptz))::float8"
                          " FROM auth.event_log WHERE id = $1::bigint",
                          row.id, Parsed<v1::UserCreated>(row).created_at()),
      10);
}

TEST_F(MistakeNotMade, ARefreshNeedsAnAccessTokenThatHasNotExpired) {
  InstallationOptions options;
  options.session.access_token = seconds(0);
  const auto replica = NewInstallation(options);
  const Person person = NewPerson();
  const auto child = Must(replica->Refresh(person.tokens.refresh_token.Reveal()));
  ASSERT_FALSE(Must(replica->Introspect(child.access_token.Reveal())).has_value());
  EXPECT_EQ(WordOf(replica->Refresh(child.refresh_token.Reveal())), "OK");
}

TEST_F(MistakeNotMade, ARefreshTokenIsAcceptedAsAnAccessToken) {
  const Person person = NewPerson();
  EXPECT_EQ(WordOf(auth().GetProfile(person.tokens.refresh_token.Reveal())), "TOKEN_INVALID");
}

TEST_F(MistakeNotMade, OneEmailInTwoCasesIsTwoAddresses) {
  const std::string phone = NewPhone();
  ASSERT_TRUE(auth().SignUp({.phone_number = phone, .email = "Ada.LOVELACE@Example.COM"}));
  EXPECT_EQ(owner().One<std::string>("SELECT email FROM auth.users WHERE phone = $1", phone),
            "ada.lovelace@example.com");
}

TEST_F(MistakeNotMade, AnOverlongCountryIsAServerErrorAfterTheWorkWasDone) {
  const std::string phone = NewPhone();
  const auto answer = auth().SignUp({.phone_number = phone, .country = std::string(300, 'D')});
  EXPECT_EQ(WordOf(answer), "FIELD_INVALID");
  EXPECT_EQ(answer.error().field, "country");
  EXPECT_EQ(WordOf(auth().SignUp({.phone_number = phone})), "OK") << "it was counted as a send";
}

TEST_F(MistakeNotMade, AnUnreachableDependencyIsReportedAsTheClientsFault) {
  const Person person = NewPerson();
  const std::string id = IdOfLogIn(person.phone);
  otp().Play([](const CodeGuess&, const Answer<Verdict>& answer) {
    answer(Fail(reasons::kDependencyUnavailable));
  });
  EXPECT_EQ(auth().ValidateLogIn(id, kRightCode).error().kind(), ErrorKind::kUnavailable);
  otp().Play({});
  EXPECT_EQ(WordOf(auth().ValidateLogIn(id, kRightCode)), "OK");
}

// A second sign-up of a number that is pending must not hand the first one's session to anybody.
TEST_F(MistakeNotMade, AStrangersPendingSignUpIsActivatedByWhoeverKnowsTheNumber) {
  const std::string phone = NewPhone();
  ASSERT_TRUE(auth().SignUp({.phone_number = phone}));
  const auto by_number_alone = auth().Verify("AAAAAAAAAAAAAAAAAAAAAA", kRightCode);
  EXPECT_EQ(WordOf(by_number_alone), "CODE_REJECTED");
  EXPECT_EQ(StatusOf(phone), "pending");
  EXPECT_THAT(otp().Guesses(), IsEmpty()) << "the victim's guesses were burnt";
}

}  // namespace
}  // namespace countersign::auth
