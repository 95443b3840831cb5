#include "services/auth/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "libs/config/load.h"
#include "libs/config/yaml_file.h"

namespace countersign::auth {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

constexpr const char* kExample = "deploy/config/auth.example.yaml";

class AuthConfig : public ::testing::Test {
 protected:
  AuthConfig() { Bind(config_, keys_); }

  // The example with the given changes by environment. Empty: the process would start.
  std::optional<int> Load(const std::map<std::string, std::string>& changes = {}) {
    std::map<std::string, std::string> environment = {
        {"AUTH_DATABASE_URL", "dbname=countersign user=countersign_auth host=127.0.0.1"}};
    for (const auto& [name, value] : changes) environment[name] = value;
    const std::vector<std::string> arguments = {"--config", kExample};
    return config::Load({.name = "countersign-auth", .env_prefix = "AUTH"}, keys_, arguments,
                        [&](const std::string& name) -> std::optional<std::string> {
                          const auto found = environment.find(name);
                          if (found == environment.end()) return std::nullopt;
                          return found->second;
                        },
                        {out_, err_});
  }
  // What the refused configuration is told; fails if it is not refused.
  std::string Refusal(const std::map<std::string, std::string>& changes) {
    err_.str("");
    EXPECT_EQ(Load(changes), config::kExitConfig);
    return err_.str();
  }

  Config config_;
  config::Keys keys_{"AUTH"};
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(AuthConfig, TheExampleStartsAProcessAndNamesEveryKey) {
  Config defaults;
  EXPECT_EQ(Load(), std::nullopt) << err_.str();
  EXPECT_EQ(config_.grpc.listen, defaults.grpc.listen);
  EXPECT_EQ(config_.process.metrics_listen, "127.0.0.1:9464");

  std::vector<std::string> named;
  for (const config::YamlValue& value : config::ReadYaml(kExample).values)
    named.push_back(value.key);
  std::vector<std::string> known;
  for (const config::Key& key : keys_.all())
    if (!key.secret) known.push_back(key.name);
  EXPECT_THAT(named, UnorderedElementsAreArray(known));
}

TEST_F(AuthConfig, TheExampleHasTheDefaults) {
  std::map<std::string, std::string> defaults;
  for (const config::Key& key : keys_.all()) defaults[key.name] = key.show();
  ASSERT_EQ(Load(), std::nullopt) << err_.str();
  for (const config::Key& key : keys_.all()) {
    // What an installation has to say itself.
    if (key.spec.required && defaults[key.name].empty()) continue;
    if (key.secret || key.name.starts_with("otp.tls.")) continue;
    EXPECT_EQ(key.show(), defaults[key.name]) << key.name;
  }
}

TEST_F(AuthConfig, TermsAndLimitsComeFromTheirKeys) {
  ASSERT_EQ(Load({{"AUTH_SESSION_IDLE", "2h"},
                  {"AUTH_SESSION_ABSOLUTE", "12h"},
                  {"AUTH_SESSION_REFRESH_GRACE", "3s"},
                  {"AUTH_TOKENS_ACCESS_LIFETIME", "5m"},
                  {"AUTH_CODES_COOLDOWN", "10s,1m"},
                  {"AUTH_CODES_PER_HOUR", "3"},
                  {"AUTH_CODES_PER_DAY", "4"},
                  {"AUTH_CHANNELS", "voice,sms"}}),
            std::nullopt)
      << err_.str();
  const SessionTerms terms = SessionTermsOf(config_);
  EXPECT_EQ(terms.idle, hours(2));
  EXPECT_EQ(terms.absolute, hours(12));
  EXPECT_EQ(terms.refresh_grace, seconds(3));
  EXPECT_EQ(terms.access_token, minutes(5));
  const SendLimit limit = SendLimitOf(config_);
  EXPECT_THAT(limit.cooldowns, ElementsAre(seconds(10), minutes(1)));
  EXPECT_EQ(limit.per_hour, 3);
  EXPECT_EQ(limit.per_day, 4);
  EXPECT_THAT(ChannelOfferOf(config_).offered, ElementsAre(Channel::kVoice, Channel::kSms));
}

TEST_F(AuthConfig, TheDefaultLimitIsTheDomains) {
  ASSERT_EQ(Load(), std::nullopt);
  EXPECT_EQ(SendLimitOf(config_).cooldowns, SendLimit{}.cooldowns);
}

TEST_F(AuthConfig, OTP2_RefusesCodesThatLiveLongerThanTenMinutes) {
  EXPECT_EQ(Load({{"AUTH_CODES_LIFE", "10m"}}), std::nullopt);
  EXPECT_THAT(Refusal({{"AUTH_CODES_LIFE", "601s"}}),
              AllOf(HasSubstr("AUTH_CODES_LIFE"), HasSubstr("at most 10m")));
}

TEST_F(AuthConfig, TOK9_RefusesAGraceOfMoreThanTenSeconds) {
  EXPECT_THAT(Refusal({{"AUTH_SESSION_REFRESH_GRACE", "11s"}}), HasSubstr("at most 10s"));
}

TEST_F(AuthConfig, TOK10_RefusesSessionsWithoutAnEnd) {
  EXPECT_THAT(Refusal({{"AUTH_SESSION_ABSOLUTE", "31d"}}), HasSubstr("at most 30d"));
  EXPECT_THAT(Refusal({{"AUTH_SESSION_IDLE", "12h"}, {"AUTH_SESSION_ABSOLUTE", "11h"}}),
              HasSubstr("session.idle must not be longer"));
  EXPECT_THAT(Refusal({{"AUTH_SESSION_IDLE", "15m"}}), HasSubstr("must be shorter"));
}

TEST_F(AuthConfig, RefusesTimesTheDatabaseCannotKeep) {
  EXPECT_THAT(Refusal({{"AUTH_SESSION_REFRESH_GRACE", "500ms"}}), HasSubstr("whole seconds"));
  EXPECT_THAT(Refusal({{"AUTH_CODES_COOLDOWN", "1500ms"}}), HasSubstr("codes.cooldown"));
}

TEST_F(AuthConfig, RefusesALimitThatIsNone) {
  EXPECT_THAT(Refusal({{"AUTH_CODES_COOLDOWN", "1m,30s"}}), HasSubstr("must not shrink"));
  EXPECT_THAT(Refusal({{"AUTH_CODES_COOLDOWN", "soon"}}), HasSubstr("codes.cooldown"));
  EXPECT_THAT(Refusal({{"AUTH_CODES_PER_DAY", "4"}}), HasSubstr("no fewer a day"));
}

TEST_F(AuthConfig, RefusesChannelsThatAreNone) {
  for (const char* channels : {"pigeon", "sms,sms", ""}) {
    EXPECT_THAT(Refusal({{"AUTH_CHANNELS", channels}}), HasSubstr("channels")) << channels;
  }
}

TEST_F(AuthConfig, NET1_RefusesPlaintextOffLoopback) {
  EXPECT_THAT(Refusal({{"AUTH_DATABASE_URL", "host=db.internal dbname=countersign"}}),
              HasSubstr("verify-full"));
  EXPECT_THAT(Refusal({{"AUTH_OTP_TLS_CERTIFICATE", ""}}), HasSubstr("mutual TLS only"));
  EXPECT_THAT(Refusal({{"AUTH_OTP_TLS_CA", ""}}), HasSubstr("mutual TLS only"));
}

TEST_F(AuthConfig, SecretsAreNeitherInTheFileNorShown) {
  const std::vector<std::string> arguments = {"--config", kExample, "--check-config"};
  EXPECT_EQ(config::Load({.name = "countersign-auth", .env_prefix = "AUTH"}, keys_, arguments,
                         [](const std::string& name) -> std::optional<std::string> {
                           if (name == "AUTH_DATABASE_URL") return "password=planted host=::1";
                           return std::nullopt;
                         },
                         {out_, err_}),
            0);
  EXPECT_THAT(out_.str(), HasSubstr("database.url: <set>"));
  EXPECT_THAT(out_.str() + err_.str(), ::testing::Not(HasSubstr("planted")));
}

}  // namespace
}  // namespace countersign::auth
