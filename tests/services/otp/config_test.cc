#include "services/otp/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "libs/config/load.h"

namespace countersign::otp {
namespace {

using ::testing::HasSubstr;

constexpr const char* kExample = "deploy/config/otp.example.yaml";

class OtpConfig : public ::testing::Test {
 protected:
  OtpConfig() { Bind(config_, keys_); }

  // The example with the given changes by environment. Empty: the process would start.
  std::optional<int> Load(const std::map<std::string, std::string>& changes = {}) {
    std::map<std::string, std::string> environment = {
        {"OTP_DATABASE_URL", "dbname=countersign user=countersign_otp host=127.0.0.1"}};
    for (const auto& [name, value] : changes) environment[name] = value;
    const std::vector<std::string> arguments = {"--config", kExample};
    return config::Load({.name = "countersign-otp", .env_prefix = "OTP"}, keys_, arguments,
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
  config::Keys keys_{"OTP"};
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(OtpConfig, TheExampleStartsAProcessWithTheDefaults) {
  const Config defaults;
  EXPECT_EQ(Load(), std::nullopt) << err_.str();
  EXPECT_EQ(config_.grpc.listen, defaults.grpc.listen);
  EXPECT_EQ(config_.process.metrics_listen, "127.0.0.1:9466");
  EXPECT_EQ(config_.consumer_group, defaults.consumer_group);
  EXPECT_EQ(config_.consumer_in_flight, defaults.consumer_in_flight);
  EXPECT_EQ(config_.send_timeout, defaults.send_timeout);
  EXPECT_EQ(config_.code_length, defaults.code_length);
  EXPECT_EQ(config_.code_attempts, defaults.code_attempts);
  EXPECT_EQ(config_.failures_per_day, defaults.failures_per_day);
  EXPECT_EQ(config_.database_writers, defaults.database_writers);
  EXPECT_EQ(config_.database.log_days_ahead, defaults.database.log_days_ahead);
}

TEST_F(OtpConfig, NET1_AListenerWithoutMutualTlsIsRefusedAlsoOnLoopback) {
  EXPECT_THAT(Refusal({{"OTP_GRPC_TLS_CERTIFICATE", ""}, {"OTP_GRPC_TLS_KEY", ""}}),
              HasSubstr("mutual TLS"));
  EXPECT_THAT(Refusal({{"OTP_GRPC_TLS_CLIENT_CA", ""}}), HasSubstr("mutual TLS"));
  EXPECT_THAT(Refusal({{"OTP_GRPC_TLS_CLIENT_CERTIFICATE", "none"}}),
              HasSubstr("grpc.tls.client_certificate"));
}

TEST_F(OtpConfig, OTP1_CodesShorterThanSixDigitsAreRefused) {
  EXPECT_THAT(Refusal({{"OTP_CODES_LENGTH", "5"}}), HasSubstr("OTP_CODES_LENGTH: at "));
  EXPECT_THAT(Refusal({{"OTP_CODES_LENGTH", "11"}}), HasSubstr("OTP_CODES_LENGTH: at "));
}

TEST_F(OtpConfig, OTP6_MoreThanAHundredFailuresADayAreRefused) {
  EXPECT_THAT(Refusal({{"OTP_CODES_FAILURES_PER_DAY", "101"}}),
              HasSubstr("at most 100 is expected"));
  EXPECT_THAT(Refusal({{"OTP_CODES_ATTEMPTS", "0"}}), HasSubstr("at least 1 is expected"));
}

TEST_F(OtpConfig, ADatabaseOffThisMachineNeedsTls) {
  EXPECT_THAT(Refusal({{"OTP_DATABASE_URL", "host=db.example.com dbname=countersign"}}),
              HasSubstr("verify-full"));
}

TEST_F(OtpConfig, AKafkaPropertyIsNameAndValue) {
  EXPECT_THAT(Refusal({{"OTP_KAFKA_PROPERTIES", "fetch.min.bytes"}}),
              HasSubstr("kafka.properties"));
  EXPECT_EQ(Load({{"OTP_KAFKA_PROPERTIES", "fetch.min.bytes=1"}}), std::nullopt);
  EXPECT_EQ(kafka::ToSettings(config_.kafka).properties,
            (std::vector<std::pair<std::string, std::string>>{{"fetch.min.bytes", "1"}}));
}

}  // namespace
}  // namespace countersign::otp
