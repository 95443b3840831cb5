#include "services/auth/app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "libs/jose/jwk.h"
#include "libs/jose/jws.h"
#include "tests/services/auth/app_fixture.h"
#include "tests/support/tcp_proxy.h"

namespace countersign::auth {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

TEST_F(AppTest, APersonSignsUpAndKeepsASession) {
  const auto otp = PlayOtp(rpc::Approve);
  Start();
  v1::Verification started;
  ASSERT_EQ(Signup(NewPhone(), &started), "");
  auto [begun, refusal] = Verify(started.verification_id());
  ASSERT_EQ(refusal, "");
  EXPECT_EQ(Verify(started.verification_id()).second, "CODE_REJECTED");
  EXPECT_TRUE(IsActive(begun.tokens().access_token()));

  auto [profile, unseen] =
      Call(&v1::AuthService::Stub::GetProfile, {}, begun.tokens().access_token());
  EXPECT_EQ(unseen, "");
  EXPECT_EQ(profile.profile().user_id(), begun.user_id());
  EXPECT_EQ(profile.profile().first_name(), "Ada");

  v1::RefreshTokenRequest refresh;
  refresh.set_refresh_token(begun.tokens().refresh_token());
  auto [refreshed, worn] = Call(&v1::AuthService::Stub::RefreshToken, refresh);
  ASSERT_EQ(worn, "");
  EXPECT_EQ(refreshed.tokens().session_id(), begun.tokens().session_id());

  EXPECT_EQ(Call(&v1::AuthService::Stub::Logout, {}, refreshed.tokens().access_token()).second, "");
  EXPECT_FALSE(IsActive(begun.tokens().access_token()));
  EXPECT_FALSE(IsActive(refreshed.tokens().access_token()));
}

TEST_F(AppTest, APersonLogsInAgainAndTheTokensVerifyWithTheJwks) {
  const auto otp = PlayOtp(rpc::Approve);
  Start();
  const std::string phone = NewPhone();
  v1::Verification started;
  ASSERT_EQ(Signup(phone, &started), "");
  ASSERT_EQ(Verify(started.verification_id()).second, "");

  v1::LoginWithPhoneNumberRequest login;
  login.set_phone_number(phone);
  auto [asked, refusal] = Call(&v1::AuthService::Stub::LoginWithPhoneNumber, login);
  ASSERT_EQ(refusal, "");
  v1::ValidatePhoneNumberLoginRequest validate;
  validate.set_verification_id(asked.verification().verification_id());
  validate.set_code("123456");
  auto [begun, wrong] = Call(&v1::AuthService::Stub::ValidatePhoneNumberLogin, validate);
  ASSERT_EQ(wrong, "");

  v1::ResendCodeRequest resend;
  resend.set_verification_id(asked.verification().verification_id());
  EXPECT_EQ(Call(&v1::AuthService::Stub::ResendCode, resend).second, "CODE_REJECTED");

  const auto jwks = Call(&v1::AuthService::Stub::GetJwks, v1::GetJwksRequest()).first;
  ASSERT_EQ(jwks.keys_size(), 1);
  const v1::Jwk& jwk = jwks.keys(0);
  const auto key = jose::FromJwk({.kty = jwk.kty(),
                                  .crv = jwk.crv(),
                                  .x = jwk.x(),
                                  .y = jwk.y(),
                                  .kid = jwk.kid(),
                                  .alg = jwk.alg(),
                                  .use = jwk.use()});
  ASSERT_TRUE(key);
  const auto token = jose::UnverifiedJws::Parse(begun.tokens().access_token());
  ASSERT_TRUE(token);
  EXPECT_EQ(token->header().kid, jwk.kid());
  EXPECT_TRUE(token->Verify(*key));
}

TEST_F(AppTest, I8_WithoutOtpNoCodeIsAcceptedAndTheSameCodeIsLater) {
  auto otp = PlayOtp(rpc::Approve);
  const std::string address = config_.otp.target;
  otp.reset();
  Start();
  v1::Verification started;
  ASSERT_EQ(Signup(NewPhone(), &started), "");
  EXPECT_EQ(Verify(started.verification_id()).second, "DEPENDENCY_UNAVAILABLE");
  otp = PlayOtp(rpc::Approve, address);
  EXPECT_TRUE(Eventually([&] { return Verify(started.verification_id()).second.empty(); }));
}

TEST_F(AppTest, I8_AnOtpThatDoesNotKnowUsIsNoApproval) {
  certificates_->MakeCertificate("ca", "stranger", "/CN=stranger", "DNS:stranger");
  config_.otp.tls_certificate = certificates_->File("stranger.pem");
  config_.otp.tls_key = certificates_->File("stranger.key");
  const auto otp = PlayOtp(rpc::Approve);
  Start();
  v1::Verification started;
  ASSERT_EQ(Signup(NewPhone(), &started), "");
  EXPECT_EQ(Verify(started.verification_id()).second, "DEPENDENCY_UNAVAILABLE");
}

TEST_F(AppTest, ADatabaseThatIsAwayIsNoReasonNotToServe) {
  config_.database.url = Secret<std::string>("host=127.0.0.1 port=1 user=u dbname=d");
  const auto began = std::chrono::steady_clock::now();
  Start();
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(2));
  EXPECT_EQ(Signup(NewPhone()), "DEPENDENCY_UNAVAILABLE");
  v1::IntrospectTokenRequest introspect;
  introspect.set_token("anything");
  // What needs no database is decided.
  EXPECT_EQ(Call(&v1::AuthService::Stub::IntrospectToken, introspect).second, "");
  EXPECT_EQ(Call(&v1::AuthService::Stub::GetJwks, v1::GetJwksRequest()).first.keys_size(), 1);
  EXPECT_THAT(Metrics(), HasSubstr("batch_connections{batch=\"send\"} 0"));
}

TEST_F(AppTest, ADatabaseThatGoesIsNoticedWithoutACallAndServedAgainWhenItIsBack) {
  constexpr pg::Query kPort{"port", "SELECT inet_server_port()"};
  support::TcpProxy proxy(pg::Connection(Settings()).Execute(kPort).Only().Get<std::uint16_t>(0));
  config_.database.url = Secret<std::string>(
      pg::WithKeyword(config_.database.url.Reveal(), "port", std::to_string(proxy.port())));
  Start();
  std::jthread serving([this] { static_cast<void>(process_->Wait()); });
  const auto health = [this] { return Get(process_->metrics_address(), "/healthz"); };
  EXPECT_TRUE(Eventually([&] { return health().find(" 200 ") != std::string::npos; }));
  proxy.Refuse(true);
  EXPECT_TRUE(Eventually([&] { return health().find(" 503 ") != std::string::npos; }));
  EXPECT_THAT(health(), HasSubstr("database: no connection for "));
  EXPECT_EQ(Signup(NewPhone()), "DEPENDENCY_UNAVAILABLE");
  proxy.Refuse(false);
  EXPECT_TRUE(Eventually([&] { return Signup(NewPhone()).empty(); }));
  EXPECT_TRUE(Eventually([&] { return health().find(" 200 ") != std::string::npos; }));
  process_->Fail("the test ends here");
}

TEST_F(AppTest, WrongCredentialsStopTheStart) {
  config_.database.password = Secret<std::string>("planted");
  const std::string fault = Fault();
  EXPECT_THAT(fault, HasSubstr("28P01"));
  EXPECT_THAT(fault, ::testing::Not(HasSubstr("planted")));
}

TEST_F(AppTest, ADatabaseWithoutTheSchemaStopsTheStart) {
  config_.database.url = Secret<std::string>(pg::WithKeyword(Conninfo(), "dbname", "postgres"));
  EXPECT_THAT(Fault(), HasSubstr("migrated"));
}

TEST_F(AppTest, AMissingOrEmptyKeyRingStopsTheStart) {
  for (const auto ring : {keystore::kPhoneRing, keystore::kPersonRing, keystore::kRecipientRing,
                          keystore::kClaimRing, keystore::kRefreshRing, keystore::kSigningRing}) {
    const SystemClock clock;
    test::KeyFolder keys(clock);
    config_.keys_directory = keys.path();
    fs::remove_all(keys.Ring(ring));
    EXPECT_THAT(Fault(), HasSubstr(std::string(ring))) << ring;
    fs::create_directory(keys.Ring(ring));
    fs::permissions(keys.Ring(ring), fs::perms::owner_all);
    EXPECT_THAT(Fault(), HasSubstr(std::string(ring))) << ring;
  }
  // The code ring is otp's alone.
  fs::remove_all(keys_->Ring(keystore::kCodeRing));
  config_.keys_directory = keys_->path();
  EXPECT_EQ(Fault(), "");
}

TEST_F(AppTest, AnUnreadableCertificateForOtpStopsTheStart) {
  config_.otp.tls_key = "/nonexistent";
  EXPECT_THAT(Fault(), HasSubstr("/nonexistent"));
}

TEST_F(AppTest, LogPartitionsAreMadeAheadAndCounted) {
  config_.database.log_days_ahead = 16;
  Start();
  EXPECT_TRUE(Eventually([this] {
    return Metrics().find("event_log_days_ahead 16") != std::string::npos;
  })) << Metrics();
  EXPECT_THAT(Metrics(), testing::HasSubstr("event_log_days_kept "));
}

TEST_F(AppTest, ANewSigningKeyIsPublishedWithoutARestart) {
  Start();
  const SystemClock clock;
  SystemRandom random;
  keystore::AddKey(keys_->path(), keystore::kSigningRing, clock, random);
  EXPECT_TRUE(Eventually([this] {
    return Call(&v1::AuthService::Stub::GetJwks, v1::GetJwksRequest()).first.keys_size() == 2;
  }));
}

TEST_F(AppTest, MetricsShowBatchesAndKeys) {
  Start();
  ASSERT_EQ(Signup(NewPhone()), "");
  const std::string metrics = Metrics();
  EXPECT_THAT(metrics, HasSubstr("batch_commands_count{batch=\"send\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("batch_seconds_count{batch=\"send\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("batch_queue{batch=\"send\"} 0"));
  EXPECT_THAT(metrics, HasSubstr("key_ring_readable{ring=\"signing\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("recipient_key_days_ahead 7"));
  fs::permissions(keys_->Ring(keystore::kSigningRing), fs::perms(0777));
  EXPECT_TRUE(Eventually([this] {
    Call(&v1::AuthService::Stub::GetJwks, v1::GetJwksRequest());
    return Metrics().find("key_ring_readable{ring=\"signing\"} 0") != std::string::npos;
  }));
}

// The stop waits for otp's answer and for the commit: who was let in is answered.
TEST_F(AppTest, AStopAnswersTheCallsUnderWay) {
  std::atomic<bool> asked = false;
  std::atomic<bool> go = false;
  std::jthread waiting;
  const auto otp = PlayOtp(
      [&](const rpc::CallContext& call, const rpc::Request& request, const rpc::OtpDone& done) {
        asked = true;
        waiting = std::jthread([&, done] {
          Eventually([&] { return go.load(); });
          rpc::Approve(call, request, done);
        });
      });
  Start();
  v1::Verification started;
  ASSERT_EQ(Signup(NewPhone(), &started), "");
  std::string refusal = "none";
  std::jthread caller([&] { refusal = Verify(started.verification_id()).second; });
  ASSERT_TRUE(Eventually([&] { return asked.load(); }));

  std::jthread stopping([this] { static_cast<void>(process_->Wait()); });
  process_->Fail("the test ends here");  // a signal would end the whole test
  EXPECT_TRUE(Eventually([this] { return !Signup(NewPhone()).empty(); }));
  go = true;
  caller.join();
  EXPECT_EQ(refusal, "");
}

}  // namespace
}  // namespace countersign::auth
