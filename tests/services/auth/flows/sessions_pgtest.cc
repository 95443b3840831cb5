#include "tests/services/auth/flows/flow_test.h"

namespace countersign::auth {
namespace {

using std::chrono::seconds;

namespace v1 = countersign::events::v1;

class SessionsTest : public FlowTest {
 protected:
  [[nodiscard]] bool IsActive(const SessionTokens& tokens) {
    return Must(auth().Introspect(tokens.access_token.Reveal())).has_value();
  }
  [[nodiscard]] std::int64_t LogoutsOf(const Person& person) {
    return owner().One<std::int64_t>(
        "SELECT count(*) FROM auth.event_log WHERE key = $1 AND type = 'session.logged_out'",
        ToString(person.user_id));
  }
  void SetRole(const Person& person, std::string_view role) {
    owner().Run("UPDATE auth.users SET role = $2 WHERE id = $1", person.user_id, role);
  }
  void SetStatus(const Person& person, std::string_view status) {
    owner().Run("UPDATE auth.users SET status = $2 WHERE id = $1", person.user_id, status);
  }
};

TEST_F(SessionsTest, F3_LogoutByRefreshTokenEndsTheSessionAtOnceForEveryReplica) {
  const auto other = NewInstallation();
  const Person person = NewPerson();
  ASSERT_TRUE(IsActive(person.tokens));
  ASSERT_TRUE(Must(other->Introspect(person.tokens.access_token.Reveal())).has_value());
  ASSERT_TRUE(auth().LogOut(person.tokens.refresh_token.Reveal()));
  EXPECT_FALSE(IsActive(person.tokens));
  EXPECT_FALSE(Must(other->Introspect(person.tokens.access_token.Reveal())).has_value());
  EXPECT_EQ(WordOf(auth().Refresh(person.tokens.refresh_token.Reveal())), "SESSION_ENDED");
  EXPECT_EQ(WordOf(auth().GetProfile(person.tokens.access_token.Reveal())), "SESSION_ENDED");
  const LogRow last = RowsOfKey(owner(), ToString(person.user_id)).back();
  ASSERT_EQ(last.type, "session.logged_out");
  EXPECT_EQ(Parsed<v1::SessionLoggedOut>(last).session_id(), ToString(person.tokens.session_id));
}

TEST_F(SessionsTest, F3_LogoutByBearerEndsTheSession) {
  const Person person = NewPerson();
  ASSERT_TRUE(auth().LogOutBearer(person.tokens.access_token.Reveal()));
  EXPECT_FALSE(IsActive(person.tokens));
  EXPECT_EQ(LogoutsOf(person), 1);
}

TEST_F(SessionsTest, F3_TOK11_LogoutIsIdempotentAndWritesOneEvent) {
  const Person person = NewPerson();
  const auto answers = InParallel(64, [&](int i) {
    return i % 2 == 0 ? auth().LogOut(person.tokens.refresh_token.Reveal())
                      : auth().LogOutBearer(person.tokens.access_token.Reveal());
  });
  EXPECT_EQ(CountOf(answers, "OK"), 64) << WordsOf(answers);
  EXPECT_TRUE(auth().LogOut(person.tokens.refresh_token.Reveal()));
  EXPECT_EQ(LogoutsOf(person), 1);
}

TEST_F(SessionsTest, F3_AReplacedRefreshTokenLogsOutToo) {
  const Person person = NewPerson();
  const auto child = Must(auth().Refresh(person.tokens.refresh_token.Reveal()));
  const auto grandchild = Must(auth().Refresh(child.refresh_token.Reveal()));
  ASSERT_TRUE(auth().LogOut(person.tokens.refresh_token.Reveal()));
  EXPECT_FALSE(IsActive(grandchild));
}

TEST_F(SessionsTest, F3_LogoutEndsThisSessionOnly) {
  const Person person = NewPerson();
  const auto second = Must(auth().ValidateLogIn(IdOfLogIn(person.phone), kRightCode)).tokens;
  EXPECT_NE(second.session_id, person.tokens.session_id) << "TOK-15: a session for every log-in";
  ASSERT_TRUE(auth().LogOut(person.tokens.refresh_token.Reveal()));
  EXPECT_TRUE(IsActive(second));
}

TEST_F(SessionsTest, F3_LogoutNeedsSomeToken) {
  EXPECT_EQ(WordOf(auth().LogOut("")), "CREDENTIALS_MISSING");
  EXPECT_EQ(WordOf(auth().LogOut("r1.nonsense.AAAA")), "TOKEN_INVALID");
  EXPECT_EQ(WordOf(auth().LogOutBearer("a.b.c")), "TOKEN_INVALID");
}

TEST_F(SessionsTest, TOK11_NoFalseSuccessWhenTheLogCannotBeWritten) {
  const Person person = NewPerson();
  owner().Script("REVOKE INSERT ON auth.event_log FROM countersign_auth");
  const auto out = auth().LogOut(person.tokens.refresh_token.Reveal());
  const auto refreshed = auth().Refresh(person.tokens.refresh_token.Reveal());
  owner().Script("GRANT INSERT ON auth.event_log TO countersign_auth");
  EXPECT_EQ(WordOf(out), "INTERNAL");
  EXPECT_EQ(WordOf(refreshed), "INTERNAL");
  EXPECT_TRUE(IsActive(person.tokens));
  EXPECT_TRUE(auth().Refresh(person.tokens.refresh_token.Reveal())) << "no rotation was kept";
}

TEST_F(SessionsTest, TOK3_AnAccessTokenWhoseTimeIsOverByTheDatabasesClockDoesNothing) {
  InstallationOptions options;
  options.session.access_token = seconds(0);
  const auto replica = NewInstallation(options);
  const Person person = NewPerson();
  const auto child = Must(replica->Refresh(person.tokens.refresh_token.Reveal()));
  const std::string over = child.access_token.Reveal();
  EXPECT_FALSE(Must(replica->Introspect(over)).has_value());
  EXPECT_EQ(WordOf(replica->GetProfile(over)), "TOKEN_EXPIRED");
  EXPECT_EQ(WordOf(replica->LogOutBearer(over)), "TOKEN_EXPIRED");
  EXPECT_TRUE(IsActive(person.tokens)) << "the session goes on";
}

TEST_F(SessionsTest, F4_TOK12_IntrospectionTellsRoleAndClaimsOrNothing) {
  const Person person = NewPerson();
  const auto active = Must(auth().Introspect(person.tokens.access_token.Reveal()));
  ASSERT_TRUE(active);
  EXPECT_EQ(active->claims.user_id, person.user_id);
  EXPECT_EQ(active->claims.session_id, person.tokens.session_id);
  EXPECT_EQ(active->role, "user");
  SetRole(person, "admin");
  EXPECT_EQ(Must(auth().Introspect(person.tokens.access_token.Reveal()))->role, "admin")
      << "as it is now";
  for (const char* status : {"suspended", "deleted", "pending"}) {
    SetStatus(person, status);
    EXPECT_FALSE(IsActive(person.tokens)) << status;
  }
  SetStatus(person, "active");
  EXPECT_TRUE(IsActive(person.tokens));
  EXPECT_FALSE(Must(auth().Introspect("a.b.c")).has_value());
  EXPECT_EQ(WordOf(auth().Introspect("")), "FIELD_INVALID");
  EXPECT_EQ(WordOf(auth().Introspect(std::string(9000, 'a'))), "FIELD_INVALID");
}

TEST_F(SessionsTest, F4_ATokenOfASessionThatIsNotInTheDatabaseIsInactive) {
  const Person person = NewPerson();
  owner().Run("DELETE FROM auth.sessions WHERE id = $1", person.tokens.session_id);
  EXPECT_FALSE(IsActive(person.tokens));
  EXPECT_EQ(WordOf(auth().Refresh(person.tokens.refresh_token.Reveal())), "SESSION_ENDED");
  EXPECT_EQ(WordOf(auth().GetProfile(person.tokens.access_token.Reveal())), "SESSION_ENDED");
  EXPECT_TRUE(auth().LogOut(person.tokens.refresh_token.Reveal()));
}

TEST_F(SessionsTest, A5_OnesOwnProfileAndNobodyElses) {
  const Person person = NewPerson();
  const Person stranger = NewPerson();
  const std::string access = person.tokens.access_token.Reveal();
  const Profile own = Must(auth().GetProfile(access));
  EXPECT_EQ(own.user_id, person.user_id);
  EXPECT_EQ(own.phone_number, person.phone);
  EXPECT_EQ(own.status, AccountStatus::kActive);
  EXPECT_EQ(Must(auth().GetProfile(access, ToString(person.user_id))).user_id, person.user_id);

  EXPECT_EQ(WordOf(auth().GetProfile(access, ToString(stranger.user_id))), "CALLER_NOT_ALLOWED");
  EXPECT_EQ(WordOf(auth().GetProfile(access, "019a0000-0000-7000-8000-000000000001")),
            "CALLER_NOT_ALLOWED")
      << "whether it exists is not told";
  EXPECT_EQ(WordOf(auth().GetProfile(access, "1 OR 1=1")), "FIELD_INVALID");
  EXPECT_EQ(WordOf(auth().GetProfile("")), "CREDENTIALS_MISSING");
}

TEST_F(SessionsTest, A5_B1_AnAdminSeesEverybodyAsLongAsTheRowSaysAdmin) {
  const Person admin = NewPerson();
  const Person person = NewPerson();
  const std::string id = ToString(person.user_id);
  SetRole(admin, "admin");
  const std::string access = admin.tokens.access_token.Reveal();  // made when it was a user
  EXPECT_EQ(Must(auth().GetProfile(access, id)).phone_number, person.phone);
  EXPECT_EQ(WordOf(auth().GetProfile(access, "019a0000-0000-7000-8000-000000000001")),
            "ACCOUNT_NOT_FOUND");
  SetStatus(person, "deleted");
  EXPECT_EQ(WordOf(auth().GetProfile(access, id)), "ACCOUNT_NOT_FOUND");

  const std::string as_admin =
      Must(auth().Refresh(admin.tokens.refresh_token.Reveal())).access_token.Reveal();
  SetRole(admin, "user");
  EXPECT_EQ(WordOf(auth().GetProfile(as_admin, id)), "CALLER_NOT_ALLOWED")
      << "TOK-14: a removed role is gone at once, whatever the token says";
}

TEST_F(SessionsTest, A5_TOK14_ASuspendedAccountSeesNotEvenItsOwnProfile) {
  const Person person = NewPerson();
  SetStatus(person, "suspended");
  EXPECT_EQ(WordOf(auth().GetProfile(person.tokens.access_token.Reveal())), "ACCOUNT_SUSPENDED");
}

}  // namespace
}  // namespace countersign::auth
