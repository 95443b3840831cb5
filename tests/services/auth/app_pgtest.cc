// The composed service on a real PostgreSQL, with an otp service that the test plays.
#include "services/auth/app.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "countersign/auth/v1/auth.grpc.pb.h"
#include "libs/config/load.h"
#include "libs/rpc/status.h"
#include "tests/libs/rpc/backend.h"
#include "tests/support/certificates.h"
#include "tests/support/database.h"
#include "tests/support/keys/keys.h"

namespace countersign::auth {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr seconds kPatience{20};

bool Eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

class AppTest : public support::PgTest {
 protected:
  static void SetUpTestSuite() {
    certificates_ = new tests::Certificates;
    certificates_->MakeAuthority("ca", "/CN=test authority");
    certificates_->MakeCertificate("ca", "otp", "/CN=otp", "DNS:otp");
    certificates_->MakeCertificate("ca", "auth", "/CN=auth", "DNS:auth");
  }
  static void TearDownTestSuite() { delete certificates_; }

  void SetUp() override {
    PgTest::SetUp();
    if (IsSkipped()) return;
    const SystemClock clock;
    keys_ = std::make_unique<test::KeyFolder>(clock);
    config_.process.log_level = log::Level::kError;
    config_.process.metrics_listen = "127.0.0.1:0";
    config_.grpc.listen = "127.0.0.1:0";
    config_.grpc.reflection = false;
    config_.database_url = Settings("countersign_auth").conninfo;
    config_.keys_directory = keys_->path();
    config_.issuer = "https://auth.example.com";
    config_.audiences = {"fleet"};
    config_.otp.target = "127.0.0.1:1";
    config_.otp.tls_ca = certificates_->File("ca.pem");
    config_.otp.tls_certificate = certificates_->File("auth.pem");
    config_.otp.tls_key = certificates_->File("auth.key");
    config_.otp.tls_server_name = "otp";
  }

  // An otp service that admits `auth` only.
  std::unique_ptr<rpc::Backend> PlayOtp(rpc::Handler<rpc::Request, rpc::Response> handler,
                                        const std::string& listen = "127.0.0.1:0") {
    rpc::ServerSettings settings{.listen = listen};
    settings.tls_certificate = certificates_->File("otp.pem");
    settings.tls_key = certificates_->File("otp.key");
    settings.tls_client_ca = certificates_->File("ca.pem");
    settings.tls_client_certificate = "required";
    auto otp =
        std::make_unique<rpc::Backend>(std::move(handler), settings, rpc::Access::Identity("auth"));
    config_.otp.target = otp->server().address();
    return otp;
  }

  // The process and its App, until the end of the test.
  App& Start() {
    process_ = std::make_unique<process::Process>("auth", config_.process);
    app_ = std::make_unique<App>(config_, *process_);
    stub_ = v1::AuthService::NewStub(
        grpc::CreateChannel(app_->address(), grpc::InsecureChannelCredentials()));
    return *app_;
  }
  void TearDown() override {
    app_.reset();
    process_.reset();
  }
  // Why the start is refused; empty if it is not, or not as a fault of the configuration.
  std::string Fault() {
    try {
      Start();
    } catch (const config::Fault& fault) {
      return fault.what();
    }
    return {};
  }

  // One call: the answer, or the reason's word.
  template <typename Response, typename Request>
  std::pair<Response, std::string> Call(grpc::Status (v1::AuthService::Stub::*method)(
                                            grpc::ClientContext*, const Request&, Response*),
                                        const Request& request, const std::string& bearer = {}) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    if (!bearer.empty()) context.AddMetadata("authorization", "Bearer " + bearer);
    Response response;
    const grpc::Status status = (stub_.get()->*method)(&context, request, &response);
    if (status.ok()) return {response, ""};
    return {response, std::string(rpc::FromStatus(status).reason->word)};
  }
  std::string Signup(const std::string& phone, v1::Verification* started = nullptr) {
    v1::SignupWithPhoneNumberRequest request;
    request.set_phone_number(phone);
    request.set_first_name("Ada");
    auto [response, refusal] = Call(&v1::AuthService::Stub::SignupWithPhoneNumber, request);
    if (started != nullptr) *started = response.verification();
    return refusal;
  }
  std::pair<v1::VerifyPhoneNumberResponse, std::string> Verify(const std::string& id) {
    v1::VerifyPhoneNumberRequest request;
    request.set_verification_id(id);
    request.set_code("123456");
    return Call(&v1::AuthService::Stub::VerifyPhoneNumber, request);
  }
  bool IsActive(const std::string& token) {
    v1::IntrospectTokenRequest request;
    request.set_token(token);
    auto [response, refusal] = Call(&v1::AuthService::Stub::IntrospectToken, request);
    EXPECT_EQ(refusal, "");
    return response.active();
  }
  static std::string NewPhone() {
    static std::atomic<int> next = 0;
    return "+49151" + std::to_string(10'000'000 + getpid() % 10'000 * 1000 + next++);
  }
  [[nodiscard]] std::string Metrics() const { return process_->metrics().Text(); }

  Config config_;
  std::unique_ptr<test::KeyFolder> keys_;
  std::unique_ptr<process::Process> process_;
  std::unique_ptr<App> app_;
  std::unique_ptr<v1::AuthService::Stub> stub_;

  static inline tests::Certificates* certificates_ = nullptr;
};

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
  EXPECT_EQ(Call(&v1::AuthService::Stub::ValidatePhoneNumberLogin, validate).second, "");

  v1::ResendCodeRequest resend;
  resend.set_verification_id(asked.verification().verification_id());
  EXPECT_EQ(Call(&v1::AuthService::Stub::ResendCode, resend).second, "CODE_REJECTED");

  const auto jwks = Call(&v1::AuthService::Stub::GetJwks, v1::GetJwksRequest()).first;
  ASSERT_EQ(jwks.keys_size(), 1);
  EXPECT_EQ(jwks.keys(0).alg(), "ES256");
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
  config_.database_url = Secret<std::string>("host=127.0.0.1 port=1 user=u dbname=d");
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

TEST_F(AppTest, WrongCredentialsStopTheStart) {
  config_.database_password = Secret<std::string>("planted");
  const std::string fault = Fault();
  EXPECT_THAT(fault, HasSubstr("28P01"));
  EXPECT_THAT(fault, ::testing::Not(HasSubstr("planted")));
}

TEST_F(AppTest, ADatabaseWithoutTheSchemaStopsTheStart) {
  config_.database_url = Secret<std::string>(pg::WithKeyword(Conninfo(), "dbname", "postgres"));
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
  config_.log_days_ahead = 16;
  Start();
  EXPECT_TRUE(Eventually([this] {
    return Metrics().find("event_log_days_ahead 16") != std::string::npos;
  })) << Metrics();
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
