#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/services/otp/providers/at_fake.h"
#include "tests/services/otp/providers/canned_server.h"

namespace countersign::otp::providers {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;
using Status = Health::Status;

constexpr const char* kApiKey = "SK00000000000000000000000000000001";

class SelfCheck : public testing::Test {
 protected:
  Health Of(const Config& config) { return at_.Make(config)->SelfCheck(In(kPatience)); }
  void ExpectMisconfigured(const Config& config, const std::string& key) {
    const Health health = Of(config);
    EXPECT_EQ(health.status, Status::kMisconfigured);
    EXPECT_THAT(health.message, HasSubstr(key));
    if (!config.twilio.api_secret.Empty()) {
      EXPECT_THAT(health.message, testing::Not(HasSubstr(config.twilio.api_secret.Reveal())));
    }
  }
  // Both providers, since both need an account.
  std::vector<Config> Both() const {
    return {at_.ConfigFor("twilio-verify"), at_.ConfigFor("twilio-messaging")};
  }

  AtFake at_{{"--credential", std::string(kApiKey) + ":key-secret"}};
};

TEST_F(SelfCheck, IsContentWithRightCredentials) {
  for (Config config : Both()) {
    EXPECT_EQ(Of(config).status, Status::kReady) << Of(config).message;
    config.twilio.api_key = kApiKey;
    config.twilio.api_secret = Secret<std::string>("key-secret");
    EXPECT_EQ(Of(config).status, Status::kReady) << Of(config).message;
  }
}

TEST_F(SelfCheck, NamesTheKeyOfAMissingOrMalformedCredential) {
  for (const Config& good : Both()) {
    Config config = good;
    config.twilio.account_sid = "";
    ExpectMisconfigured(config, "twilio.account_sid is missing");
    config.twilio.account_sid = "AC123";
    ExpectMisconfigured(config, "twilio.account_sid: not of the form AC");
    config = good;
    config.twilio.api_key = "key";
    ExpectMisconfigured(config, "twilio.api_key: not of the form SK");
    config = good;
    config.twilio.api_secret = Secret<std::string>();
    ExpectMisconfigured(config, "twilio.api_secret is missing");
  }
  EXPECT_EQ(at_.steering.Look("/_fake/requests")["requests"].size(), 0U);
}

TEST_F(SelfCheck, NamesTheKeysOfRefusedCredentials) {
  for (Config config : Both()) {
    config.twilio.api_secret = Secret<std::string>("planted-secret");
    ExpectMisconfigured(config, "twilio.account_sid and twilio.api_secret");
    config.twilio.api_key = kApiKey;
    ExpectMisconfigured(config, "twilio.api_key and twilio.api_secret");
  }
}

TEST_F(SelfCheck, NamesAKeyWithoutTheRights) {
  at_.steering.AddFault({{"status", 403}, {"code", 70051}});
  for (Config config : Both()) {
    config.twilio.api_key = kApiKey;
    ExpectMisconfigured(config, "twilio.api_key: lacks the right");
  }
}

TEST_F(SelfCheck, NamesTheVerifyServiceThatIsWrong) {
  Config config = at_.ConfigFor("twilio-verify");
  config.twilio.verify_services.login = "";
  ExpectMisconfigured(config, "twilio.verify_services.login is missing");
  config.twilio.verify_services.login = config.twilio.verify_services.signup;
  ExpectMisconfigured(config, "twilio.verify_services.signup and .login are one service");
  config.twilio.verify_services.login = "VAffffffffffffffffffffffffffffffff";
  ExpectMisconfigured(config, "twilio.verify_services.login: the account has no such thing");
}

TEST_F(SelfCheck, FindsCredentialsOfAnotherAccount) {
  Config config = at_.ConfigFor("twilio-verify");
  config.twilio.account_sid = "ACffffffffffffffffffffffffffffffff";
  config.twilio.api_key = kApiKey;
  config.twilio.api_secret = Secret<std::string>("key-secret");
  ExpectMisconfigured(config, "twilio.account_sid");
  config.provider = "twilio-messaging";
  ExpectMisconfigured(config, "twilio.account_sid");
}

TEST_F(SelfCheck, OTP1_RefusesAServiceWithShortCodes) {
  const AtFake short_codes({"--code-length", "5"});
  const Health health = short_codes.Make("twilio-verify")->SelfCheck(In(kPatience));
  EXPECT_EQ(health.status, Status::kMisconfigured);
  EXPECT_THAT(health.message, HasSubstr("twilio.verify_services.signup: the service makes codes"));
}

TEST_F(SelfCheck, NeedsExactlyOneSender) {
  Config config = at_.ConfigFor("twilio-messaging");
  config.twilio.from = "";
  ExpectMisconfigured(config, "twilio.from or twilio.messaging_service_sid");
  config.twilio.messaging_service_sid = "MG1";
  ExpectMisconfigured(config, "twilio.messaging_service_sid: not of the form MG");
  config.twilio.from = "+15005550006";
  ExpectMisconfigured(config, "twilio.from or twilio.messaging_service_sid");
}

TEST_F(SelfCheck, TellsAnAddressThatIsNotTheApi) {
  for (const auto& [status, body] : {std::pair{200, "<html>welcome</html>"}, std::pair{200, "{}"},
                                     std::pair{404, "<html>not here</html>"}}) {
    const CannedServer server(status, body);
    for (Config config : Both()) {
      config.twilio.verify_url = config.twilio.api_url = server.url();
      ExpectMisconfigured(
          config, config.provider == "twilio-verify" ? "twilio.verify_url" : "twilio.api_url");
    }
  }
  at_.steering.AddFault({{"status", 301}, {"headers", {{"Location", "https://example.com"}}}});
  ExpectMisconfigured(at_.ConfigFor("twilio-verify"), "twilio.verify_url: redirects");
}

TEST_F(SelfCheck, LetsTheProcessStartWhileTheProviderIsAway) {
  for (const json& rule : {json{{"status", 500}}, json{{"status", 503}, {"body", "html"}},
                           json{{"status", 429}}, json{{"drop", "before"}, {"count", 30}}}) {
    at_.steering.Reset();
    at_.steering.AddFault(rule);
    for (const Config& config : Both()) {
      EXPECT_EQ(Of(config).status, Status::kUnreachable) << rule << Of(config).message;
    }
  }
  for (Config config : Both()) {
    config.twilio.verify_url = config.twilio.api_url = "http://127.0.0.1:1";
    const Health health = Of(config);
    EXPECT_EQ(health.status, Status::kUnreachable);
    EXPECT_THAT(health.message, HasSubstr("cannot connect"));
  }
}

TEST_F(SelfCheck, EndsAtItsDeadline) {
  at_.steering.AddFault({{"latency_ms", 5000}});
  const auto started = std::chrono::steady_clock::now();

  EXPECT_EQ(at_.Make("twilio-verify")->SelfCheck(In(200ms)).status, Status::kUnreachable);

  EXPECT_LT(std::chrono::steady_clock::now() - started, 2s);
}

}  // namespace
}  // namespace countersign::otp::providers
