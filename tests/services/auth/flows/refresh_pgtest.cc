#include <set>

#include "tests/services/auth/flows/flow_test.h"

namespace countersign::auth {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::Not;

namespace v1 = countersign::events::v1;

class RefreshTest : public FlowTest {
 protected:
  Result<SessionTokens> Refresh(const SessionTokens& tokens) {
    return auth().Refresh(tokens.refresh_token.Reveal());
  }
  // The rotation happened that much earlier.
  void LetGracePass(const SessionId& session_id, std::string_view interval = "11 seconds") {
    owner().Run("UPDATE auth.sessions SET rotated_at = rotated_at - $2::interval WHERE id = $1",
                session_id, interval);
  }
  [[nodiscard]] std::int64_t CounterOf(const SessionId& session_id) {
    return owner().One<std::int64_t>("SELECT refresh_counter FROM auth.sessions WHERE id = $1",
                                     session_id);
  }
  [[nodiscard]] std::string RevokedReasonOf(const SessionId& session_id) {
    return owner().One<std::string>("SELECT revoked_reason FROM auth.sessions WHERE id = $1",
                                    session_id);
  }
  [[nodiscard]] std::int64_t EventsOf(const Person& person, std::string_view type) {
    return owner().One<std::int64_t>(
        "SELECT count(*) FROM auth.event_log WHERE key = $1 AND type = $2",
        ToString(person.user_id), type);
  }
  [[nodiscard]] bool IsActive(const SessionTokens& tokens) {
    return Must(auth().Introspect(tokens.access_token.Reveal())).has_value();
  }
};

TEST_F(RefreshTest, F2_TOK9_TwoHundredParallelRefreshesOfOneTokenGetOneChild) {
  const auto other = NewInstallation();
  const Person person = NewPerson();
  const std::string token = person.tokens.refresh_token.Reveal();
  const auto answers =
      InParallel(200, [&](int i) { return (i % 2 == 0 ? auth() : *other).Refresh(token); });

  ASSERT_EQ(CountOf(answers, "OK"), 200) << WordsOf(answers);
  std::set<std::string> children;
  for (const auto& answer : answers) children.insert(answer->refresh_token.Reveal());
  EXPECT_EQ(children.size(), 1U);
  EXPECT_THAT(children, Not(Contains(token)));
  EXPECT_EQ(CounterOf(person.tokens.session_id), 2);
  EXPECT_EQ(EventsOf(person, "session.refreshed"), 1);
  EXPECT_EQ(RevokedReasonOf(person.tokens.session_id), "");
}

TEST_F(RefreshTest, F2_TOK8_ReuseAfterTheGraceEndsTheSessionAndItsAccessTokens) {
  const Person person = NewPerson();
  const SessionTokens child = Must(Refresh(person.tokens));
  ASSERT_TRUE(IsActive(child));
  LetGracePass(child.session_id);

  EXPECT_EQ(WordOf(Refresh(person.tokens)), "REFRESH_TOKEN_REUSED");
  EXPECT_EQ(RevokedReasonOf(child.session_id), "refresh_token_reused");
  EXPECT_EQ(WordOf(Refresh(child)), "SESSION_ENDED") << "the thief's child lives on";
  EXPECT_FALSE(IsActive(child));
  EXPECT_FALSE(IsActive(person.tokens));
  const LogRow last = RowsOfKey(owner(), ToString(person.user_id)).back();
  ASSERT_EQ(last.type, "session.revoked");
  EXPECT_EQ(last.topic, "auth.log");
  EXPECT_EQ(Parsed<v1::SessionRevoked>(last).reason(), "refresh_token_reused");
  EXPECT_EQ(Parsed<v1::SessionRevoked>(last).session_id(), ToString(child.session_id));
}

TEST_F(RefreshTest, TOK8_ParallelReuseEndsTheSessionOnce) {
  const Person person = NewPerson();
  ASSERT_TRUE(Refresh(person.tokens));
  LetGracePass(person.tokens.session_id);
  const auto answers = InParallel(64, [&](int) { return Refresh(person.tokens); });
  EXPECT_EQ(CountOf(answers, "REFRESH_TOKEN_REUSED"), 1) << WordsOf(answers);
  EXPECT_EQ(CountOf(answers, "SESSION_ENDED"), 63) << WordsOf(answers);
  EXPECT_EQ(EventsOf(person, "session.revoked"), 1);
}

TEST_F(RefreshTest, TOK8_AGrandparentIsReuseAlsoWithinTheGrace) {
  const Person person = NewPerson();
  const SessionTokens child = Must(Refresh(person.tokens));
  const SessionTokens grandchild = Must(Refresh(child));
  EXPECT_EQ(WordOf(Refresh(person.tokens)), "REFRESH_TOKEN_REUSED");
  EXPECT_EQ(WordOf(Refresh(grandchild)), "SESSION_ENDED");
}

TEST_F(RefreshTest, TOK9_AParentReplayedTogetherWithItsChildIsNeverASecondChild) {
  const Person person = NewPerson();
  const SessionTokens child = Must(Refresh(person.tokens));
  // Half bring the parent, half the child: either the parent comes too late and the session ends,
  // or it is answered with the child.
  const auto answers =
      InParallel(64, [&](int i) { return Refresh(i % 2 == 0 ? person.tokens : child); });
  std::set<std::string> tokens;
  for (const auto& answer : answers)
    if (answer) tokens.insert(answer->refresh_token.Reveal());
  EXPECT_LE(tokens.size(), 2U);
  EXPECT_LE(CounterOf(child.session_id), 3);
  EXPECT_EQ(EventsOf(person, "session.refreshed"), CounterOf(child.session_id) - 1);
}

TEST_F(RefreshTest, TOK9_SecondsDoNotMatterARotationInTheSameSecondIsARotation) {
  const Person person = NewPerson();
  SessionTokens tokens = person.tokens;
  std::set<std::string> seen;
  for (int i = 0; i < 5; ++i) {
    tokens = Must(Refresh(tokens));
    EXPECT_TRUE(seen.insert(tokens.refresh_token.Reveal()).second);
  }
  EXPECT_EQ(CounterOf(tokens.session_id), 6);
}

TEST_F(RefreshTest, TOK8_TOK9_ARestartForgetsNothing) {
  const Person person = NewPerson();
  const SessionTokens child = Must(Refresh(person.tokens));
  const auto restarted = NewInstallation();
  EXPECT_EQ(Must(restarted->Refresh(person.tokens.refresh_token.Reveal())).refresh_token.Reveal(),
            child.refresh_token.Reveal());
  LetGracePass(child.session_id);
  EXPECT_EQ(WordOf(restarted->Refresh(person.tokens.refresh_token.Reveal())),
            "REFRESH_TOKEN_REUSED");
}

TEST_F(RefreshTest, TOK10_IdleAndAbsoluteTimeAreRefused) {
  const Person idle = NewPerson();
  owner().Run("UPDATE auth.sessions SET idle_expires_at = now() WHERE id = $1",
              idle.tokens.session_id);
  EXPECT_EQ(WordOf(Refresh(idle.tokens)), "TOKEN_EXPIRED");
  EXPECT_FALSE(IsActive(idle.tokens));

  const Person old = NewPerson();
  owner().Run("UPDATE auth.sessions SET expires_at = now() WHERE id = $1", old.tokens.session_id);
  EXPECT_EQ(WordOf(Refresh(old.tokens)), "TOKEN_EXPIRED");
  EXPECT_EQ(EventsOf(old, "session.refreshed"), 0);
}

TEST_F(RefreshTest, TOK10_RefreshingExtendsTheIdleTimeButNeverTheAbsolute) {
  const Person person = NewPerson();
  owner().Run(
      "UPDATE auth.sessions SET idle_expires_at = now() + interval '1 minute',"
      " expires_at = now() + interval '5 minutes' WHERE id = $1",
      person.tokens.session_id);
  const Instant end = owner().One<Instant>("SELECT expires_at FROM auth.sessions WHERE id = $1",
                                           person.tokens.session_id);
  const SessionTokens child = Must(Refresh(person.tokens));
  EXPECT_EQ(child.refresh_expires_at, end);
  EXPECT_LE(child.access_expires_at, end);
  EXPECT_GT(child.access_expires_at, end - seconds(2));
}

TEST_F(RefreshTest, TOK7_ATruncatedExtendedOrFlippedTokenIsRefusedAndHarmless) {
  const Person person = NewPerson();
  const std::string token = person.tokens.refresh_token.Reveal();
  for (std::size_t length = 1; length < token.size(); ++length)
    ASSERT_EQ(WordOf(auth().Refresh(token.substr(0, length))), "TOKEN_INVALID") << length;
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (const int bit : {0, 1, 5}) {
      std::string flipped = token;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      ASSERT_EQ(WordOf(auth().Refresh(flipped)), "TOKEN_INVALID") << i << " " << bit;
      ASSERT_EQ(WordOf(auth().LogOut(flipped)), "TOKEN_INVALID") << i << " " << bit;
    }
  }
  EXPECT_EQ(WordOf(auth().Refresh(token + "A")), "TOKEN_INVALID");
  EXPECT_EQ(WordOf(auth().Refresh(token + "=")), "TOKEN_INVALID");
  EXPECT_EQ(WordOf(auth().Refresh("")), "FIELD_INVALID");
  EXPECT_EQ(CounterOf(person.tokens.session_id), 1);
  EXPECT_TRUE(Refresh(person.tokens));
}

TEST_F(RefreshTest, TOK2_NoKindOfTokenStandsForAnother) {
  const Person person = NewPerson();
  const std::string access = person.tokens.access_token.Reveal();
  const std::string refresh = person.tokens.refresh_token.Reveal();
  EXPECT_EQ(WordOf(auth().Refresh(access)), "TOKEN_INVALID");
  EXPECT_EQ(WordOf(auth().LogOut(access)), "TOKEN_INVALID");
  EXPECT_EQ(WordOf(auth().LogOutBearer(refresh)), "TOKEN_INVALID");
  EXPECT_EQ(WordOf(auth().GetProfile(refresh)), "TOKEN_INVALID");
  EXPECT_FALSE(Must(auth().Introspect(refresh)).has_value());
  const std::string verification = IdOfLogIn(person.phone);
  EXPECT_EQ(WordOf(auth().Refresh(verification)), "TOKEN_INVALID");
  EXPECT_EQ(WordOf(auth().GetProfile(verification)), "TOKEN_INVALID");
}

TEST_F(RefreshTest, TOK7_ATokenOfAnotherInstallationsKeyIsRefused) {
  Keys foreign;
  const Person person = NewPerson();
  const RefreshTokenCodec codec(foreign.refresh);
  EXPECT_EQ(WordOf(auth().Refresh(codec.Encode({person.tokens.session_id, 1}).Reveal())),
            "TOKEN_INVALID");
}

TEST_F(RefreshTest, TOK14_ASuspendedOrDeletedAccountRefreshesNothing) {
  const Person person = NewPerson();
  owner().Run("UPDATE auth.users SET status = 'suspended' WHERE id = $1", person.user_id);
  EXPECT_EQ(WordOf(Refresh(person.tokens)), "ACCOUNT_SUSPENDED");
  EXPECT_FALSE(IsActive(person.tokens));
  owner().Run("UPDATE auth.users SET status = 'deleted' WHERE id = $1", person.user_id);
  EXPECT_EQ(WordOf(Refresh(person.tokens)), "SESSION_ENDED");
  EXPECT_EQ(EventsOf(person, "session.refreshed"), 0);
}

TEST_F(RefreshTest, TOK14_AChangedRoleIsInTheNextAccessToken) {
  const Person person = NewPerson();
  owner().Run("UPDATE auth.users SET role = 'admin' WHERE id = $1", person.user_id);
  const auto child = Must(Refresh(person.tokens));
  const auto introspected = Must(auth().Introspect(child.access_token.Reveal()));
  ASSERT_TRUE(introspected);
  EXPECT_EQ(introspected->claims.role, "admin");
}

TEST_F(RefreshTest, TOK11_WhoeverRacesALogoutEndsUpLoggedOut) {
  const auto other = NewInstallation();
  for (int round = 0; round < 20; ++round) {
    const Person person = NewPerson();
    const std::string token = person.tokens.refresh_token.Reveal();
    const auto answers = InParallel(8, [&](int i) -> Result<SessionTokens> {
      if (i % 4 != 0) return (i % 2 == 0 ? auth() : *other).Refresh(token);
      if (const auto out = auth().LogOut(token); !out) return Fail(out.error());
      return SessionTokens{};
    });
    ASSERT_EQ(CountOf(answers, "OK") + CountOf(answers, "SESSION_ENDED"), 8) << WordsOf(answers);
    for (const auto& answer : answers) {
      if (!answer || answer->refresh_token.Empty()) continue;
      ASSERT_FALSE(IsActive(*answer));
      ASSERT_EQ(WordOf(Refresh(*answer)), "SESSION_ENDED");
    }
    ASSERT_EQ(EventsOf(person, "session.logged_out"), 1);
    ASSERT_EQ(RowsOfKey(owner(), ToString(person.user_id)).back().type, "session.logged_out");
  }
}

}  // namespace
}  // namespace countersign::auth
