// The connection to the database is lost in the middle of a command: what the caller is told then
// is true, and repeating the call is safe.
#include "tests/services/auth/flows/flow_test.h"
#include "tests/support/tcp_proxy.h"

namespace countersign::auth {
namespace {

using ::testing::ElementsAre;

class LostAnswerTest : public FlowTest {
 protected:
  void SetUp() override {
    FlowTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const auto port = owner().One<std::uint16_t>("SELECT inet_server_port()");
    proxy_ = std::make_unique<support::TcpProxy>(port);
    pg::ConnectionSettings settings = AsService();
    settings.conninfo = Secret<std::string>(
        pg::WithKeyword(settings.conninfo.Reveal(), "port", std::to_string(proxy_->port())));
    settings.plan_life = std::chrono::hours(1);  // the next answer is the statement's
    far_ =
        std::make_unique<Installation>(settings, keys(), otp(), InstallationOptions{.writers = 1});
    // From here on every connection is up and every statement prepared: nothing else is answered.
    const auto begun = Must(far_->Verify(
        Must(far_->SignUp({.phone_number = NewPhone()})).verification_id.Reveal(), kRightCode));
    ASSERT_TRUE(far_->GetProfile(begun.tokens.access_token.Reveal()));
    ASSERT_TRUE(far_->Introspect(begun.tokens.access_token.Reveal()));
    ASSERT_TRUE(far_->Refresh(begun.tokens.refresh_token.Reveal()));
    ASSERT_TRUE(far_->LogOut(begun.tokens.refresh_token.Reveal()));
  }
  void TearDown() override {
    far_.reset();
    proxy_.reset();
  }
  // Over the proxy.
  [[nodiscard]] Installation& far() { return *far_; }
  // The server does what it is asked next, and nobody learns of it.
  void LoseNextAnswer() { proxy_->LoseNextAnswer(); }
  void ExpectLost() { EXPECT_FALSE(proxy_->WaitsToLose()) << "no answer was lost"; }

  // Ends the backend that waits for a lock of the owner's open transaction, once there is one.
  void TerminateWaiter() {
    while (owner().One<std::int64_t>(
               "SELECT count(pg_terminate_backend(pid)) FROM pg_locks"
               " WHERE NOT granted AND transactionid = pg_current_xact_id()::xid") == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

 private:
  std::unique_ptr<support::TcpProxy> proxy_;
  std::unique_ptr<Installation> far_;
};

TEST_F(LostAnswerTest, ASendThatWasCommittedIsAnsweredAsIfNothingHadHappened) {
  const std::string phone = NewPhone();
  LoseNextAnswer();
  const auto started = Must(far().SignUp({.phone_number = phone}));
  ExpectLost();
  EXPECT_EQ(SendsTo(phone), 1);
  EXPECT_EQ(started.resend_after - (started.expires_at - std::chrono::minutes(5)),
            std::chrono::seconds(30));
  EXPECT_EQ(WordOf(auth().Verify(started.verification_id.Reveal(), kRightCode)), "OK");
}

TEST_F(LostAnswerTest, ARefusalThatWasLostIsNotTakenForAnythingElse) {
  const std::string phone = NewPhone();
  ASSERT_TRUE(far().SignUp({.phone_number = phone}));
  LoseNextAnswer();
  EXPECT_EQ(WordOf(far().SignUp({.phone_number = phone})), "OUTCOME_UNKNOWN");
  ExpectLost();
  EXPECT_EQ(SendsTo(phone), 1);
}

TEST_F(LostAnswerTest, ASessionThatBeganIsHandedOut) {
  const Person person = NewPerson();
  const std::string id = IdOfLogIn(person.phone);
  otp().Play([&](const CodeGuess&, const Answer<Verdict>& answer) {
    LoseNextAnswer();
    answer(Verdict::kApproved);
  });
  const auto begun = Must(far().ValidateLogIn(id, kRightCode));
  ExpectLost();
  EXPECT_EQ(SessionsOf(person.user_id), 2);
  const auto active = Must(auth().Introspect(begun.tokens.access_token.Reveal()));
  ASSERT_TRUE(active);
  EXPECT_EQ(active->claims.session_id, begun.tokens.session_id);
  EXPECT_TRUE(auth().Refresh(begun.tokens.refresh_token.Reveal()));
}

TEST_F(LostAnswerTest, F2_ARotationWhoseAnswerWasLostIsAnsweredWithTheSameChild) {
  const Person person = NewPerson();
  LoseNextAnswer();
  const auto child = Must(far().Refresh(person.tokens.refresh_token.Reveal()));
  ExpectLost();
  EXPECT_EQ(Must(auth().Refresh(person.tokens.refresh_token.Reveal())).refresh_token.Reveal(),
            child.refresh_token.Reveal());
  EXPECT_THAT(
      TypesOf(RowsOfKey(owner(), ToString(person.user_id))),
      ElementsAre("user.created", "user.verified", "session.logged_in", "session.refreshed"));
}

TEST_F(LostAnswerTest, TOK11_ALogoutWhoseAnswerWasLostHappenedOnce) {
  const Person person = NewPerson();
  LoseNextAnswer();
  EXPECT_TRUE(far().LogOut(person.tokens.refresh_token.Reveal()));
  ExpectLost();
  EXPECT_FALSE(Must(auth().Introspect(person.tokens.access_token.Reveal())).has_value());
  EXPECT_THAT(
      TypesOf(RowsOfKey(owner(), ToString(person.user_id))),
      ElementsAre("user.created", "user.verified", "session.logged_in", "session.logged_out"));
}

// The statement was under way, waited for a row and never came to its commit.
TEST_F(LostAnswerTest, WhatWasNotCommittedIsUnknownAndCanBeRepeated) {
  const Person person = NewPerson();
  const std::string id = IdOfLogIn(person.phone);
  owner().Script("BEGIN");
  owner().Run("SELECT FROM auth.users WHERE id = $1 FOR UPDATE", person.user_id);
  Result<BegunSession> begun;
  std::jthread waiting([&] { begun = auth().ValidateLogIn(id, kRightCode); });
  TerminateWaiter();
  waiting.join();
  owner().Script("ROLLBACK");
  EXPECT_EQ(WordOf(begun), "OUTCOME_UNKNOWN");
  EXPECT_EQ(SessionsOf(person.user_id), 1);
  EXPECT_EQ(WordOf(auth().ValidateLogIn(id, kRightCode)), "OK");
}

TEST_F(LostAnswerTest, F2_ARefreshThatWasNotCommittedIsDoneByTheLookUp) {
  const Person person = NewPerson();
  owner().Script("BEGIN");
  owner().Run("SELECT FROM auth.sessions WHERE id = $1 FOR UPDATE", person.tokens.session_id);
  Result<SessionTokens> child;
  std::jthread waiting([&] { child = auth().Refresh(person.tokens.refresh_token.Reveal()); });
  TerminateWaiter();
  owner().Script("ROLLBACK");
  waiting.join();
  ASSERT_EQ(WordOf(child), "OK");
  EXPECT_EQ(Must(auth().Refresh(person.tokens.refresh_token.Reveal())).refresh_token.Reveal(),
            child->refresh_token.Reveal());
}

}  // namespace
}  // namespace countersign::auth
