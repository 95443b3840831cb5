#include "services/otp/providers/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "libs/config/load.h"
#include "services/otp/providers/make_provider.h"
#include "tests/libs/config/scratch.h"

namespace countersign::otp::providers {
namespace {

using testing::HasSubstr;

struct Loaded {
  Config config;
  std::optional<int> exit_code;
  std::string complaint;
};

Loaded Load(const std::map<std::string, std::string>& environment) {
  Loaded loaded;
  config::Keys keys("OTP");
  Bind(loaded.config, keys);
  std::ostringstream out;
  std::ostringstream err;
  loaded.exit_code = config::Load({.name = "otp", .purpose = "", .env_prefix = "OTP"}, keys, {},
                                  [&](const std::string& name) -> std::optional<std::string> {
                                    const auto found = environment.find(name);
                                    if (found == environment.end()) return std::nullopt;
                                    return found->second;
                                  },
                                  {.out = out, .err = err});
  loaded.complaint = err.str();
  return loaded;
}

void ExpectFault(const std::map<std::string, std::string>& environment, const std::string& text) {
  const Loaded loaded = Load(environment);
  EXPECT_EQ(loaded.exit_code, config::kExitConfig) << text;
  EXPECT_THAT(loaded.complaint, HasSubstr(text));
}

TEST(ProviderConfig, IsReadFromItsKeys) {
  const config::Scratch scratch;
  const Loaded loaded =
      Load({{"OTP_PROVIDER", "twilio-messaging"},
            {"OTP_TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000001"},
            {"OTP_TWILIO_API_KEY", "SK00000000000000000000000000000001"},
            {"OTP_TWILIO_API_SECRET_FILE", scratch.Write("secret", "hidden\n")},
            {"OTP_TWILIO_VERIFY_SERVICES_SIGNUP", "VA00000000000000000000000000000001"},
            {"OTP_TWILIO_VERIFY_SERVICES_LOGIN", "VA00000000000000000000000000000002"},
            {"OTP_TWILIO_FROM", "+15005550006"},
            {"OTP_TWILIO_REQUEST_TIMEOUT", "7s"},
            {"OTP_TWILIO_MAX_IN_FLIGHT", "12"}});

  EXPECT_FALSE(loaded.exit_code) << loaded.complaint;
  EXPECT_EQ(loaded.config.provider, "twilio-messaging");
  EXPECT_EQ(loaded.config.twilio.api_secret.Reveal(), "hidden");
  EXPECT_EQ(loaded.config.twilio.verify_services.login, "VA00000000000000000000000000000002");
  EXPECT_EQ(loaded.config.twilio.request_timeout, std::chrono::seconds(7));
  EXPECT_EQ(loaded.config.twilio.max_in_flight, 12);
}

TEST(ProviderConfig, HasDefaultsWithoutAFault) {
  EXPECT_FALSE(Load({}).exit_code) << Load({}).complaint;
  EXPECT_EQ(Load({}).config.twilio.verify_url, "https://verify.twilio.com");
}

TEST(ProviderConfig, RefusesAnUnknownProvider) { ExpectFault({{"OTP_PROVIDER", "pigeon"}}, "log"); }

TEST(ProviderConfig, SEC1_RefusesAnAddressWithoutTlsOrOnThisMachine) {
  for (const auto* key : {"VERIFY", "API"}) {
    const std::string name = "OTP_TWILIO_" + std::string(key) + "_URL";
    ExpectFault({{name, "http://verify.twilio.com"}}, "not https");
    ExpectFault({{name, "https://127.0.0.1:8443"}}, "this machine");
    ExpectFault({{name, "https://localhost"}}, "this machine");
    ExpectFault({{name, "https://[::1]"}}, "this machine");
    ExpectFault({{name, "verify.twilio.com"}}, "not an absolute");
    ExpectFault({{name, "https://user:pass@verify.twilio.com"}}, "not an absolute");
    EXPECT_FALSE(Load({{name, "http://127.0.0.1:8080"}, {"OTP_TWILIO_ALLOW_INSECURE_URLS", "true"}})
                     .exit_code);
  }
}

TEST(ProviderConfig, RefusesWhatTheProviderCannotUse) {
  ExpectFault({{"OTP_MESSAGE_TEXT", "no code here"}}, "message.text: {code} is missing");
  ExpectFault({{"OTP_TWILIO_STATUS_CALLBACK", "/relative"}}, "twilio.status_callback");
  ExpectFault({{"OTP_TWILIO_PROXY", "http://user:password@proxy:3128"}}, "twilio.proxy");
  ExpectFault({{"OTP_DEVELOPMENT_CODES_FILE", "/tmp/codes"}}, "only provider log has it");
}

TEST(MakeProvider, ChecksWhatTheConfigurationDidNot) {
  const SystemClock clock;
  const log::Logger logger("otp", log::Level::kError);
  Config insecure;
  insecure.twilio.verify_url = "http://verify.twilio.com";
  Config unknown;
  unknown.provider = "pigeon";

  EXPECT_THROW(static_cast<void>(MakeProvider(insecure, logger, clock)), config::Fault);
  EXPECT_THROW(static_cast<void>(MakeProvider(unknown, logger, clock)), config::Fault);
}

}  // namespace
}  // namespace countersign::otp::providers
