#include "services/otp/providers/twilio_answers.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace countersign::otp::providers {
namespace {

using nlohmann::json;

constexpr const char* kHex = "0123456789abcdef0123456789ABCDEF";
const std::string kVerification = std::string("VE") + kHex;

TEST(DecodeErrorCode, FindsTheIntegerCode) {
  EXPECT_EQ(DecodeErrorCode(R"({"code":60203,"message":"x","more_info":"y","status":429})"), 60203);
  EXPECT_EQ(DecodeErrorCode(R"({"code":20404,"details":{"a":[1]},"status":404})"), 20404);
}

TEST(DecodeErrorCode, IsZeroForAnythingElse) {
  for (const auto* body :
       {"", "<html>", "null", "[60203]", R"({"code":"60203"})", R"({"code":1.5})", R"({"code":-1})",
        R"({"code":99999999999})", R"({"code":18446744073709551615})", R"({"code":null})",
        R"({"httpStatusCode":400,"userError":true})", R"({"type":"about:blank","status":503})"}) {
    EXPECT_EQ(DecodeErrorCode(body), 0) << body;
  }
}

TEST(DecodeVerification, CountsTheSends) {
  const json body = {{"sid", kVerification},
                     {"status", "pending"},
                     {"channel", "rcs"},
                     {"send_code_attempts", {{{"channel", "SMS"}}, {{"channel", "whatsapp"}}}}};
  const auto verification = DecodeVerification(body.dump());
  ASSERT_TRUE(verification);
  EXPECT_EQ(verification->sid, kVerification);
  EXPECT_EQ(verification->status, "pending");
  EXPECT_EQ(verification->sends, 2U);
}

TEST(DecodeVerification, RefusesWhatIsNoVerification) {
  for (const json& body :
       {json{{"sid", kVerification}}, json{{"status", "pending"}},
        json{{"sid", nullptr}, {"status", "pending"}}, json{{"sid", 1}, {"status", "pending"}},
        json{{"sid", std::string("SM") + kHex}, {"status", "pending"}},
        json{{"sid", kVerification + "0"}, {"status", "pending"}},
        json{{"sid", kVerification.substr(0, 33) + "!"}, {"status", "pending"}},
        json{{"sid", kVerification}, {"status", nullptr}}, json::array(), json(nullptr)}) {
    EXPECT_FALSE(DecodeVerification(body.dump())) << body;
  }
  EXPECT_FALSE(DecodeVerification(""));
  EXPECT_FALSE(DecodeVerification("<html></html>"));
}

TEST(DecodeAttempts, ReadsConversions) {
  const json body = {
      {"attempts",
       {{{"verification_sid", kVerification}, {"conversion_status", "converted"}, {"price", {}}}}},
      {"meta", json::object()}};
  const auto attempts = DecodeAttempts(body.dump());
  ASSERT_TRUE(attempts);
  ASSERT_EQ(attempts->size(), 1U);
  EXPECT_EQ(attempts->front().conversion_status, "converted");
  EXPECT_TRUE(DecodeAttempts(R"({"attempts":[]})")->empty());
}

TEST(DecodeAttempts, RefusesAListWithAnythingElseInIt) {
  EXPECT_FALSE(DecodeAttempts(R"({"attempts":[{}]})"));
  EXPECT_FALSE(DecodeAttempts(R"({"attempts":[null]})"));
  EXPECT_FALSE(DecodeAttempts(R"({"attempts":{}})"));
  EXPECT_FALSE(DecodeAttempts("{}"));
}

TEST(DecodeService, NeedsAllOfIt) {
  const json body = {{"sid", std::string("VA") + kHex},
                     {"account_sid", std::string("AC") + kHex},
                     {"code_length", 6}};
  EXPECT_EQ(DecodeService(body.dump())->code_length, 6);
  for (const auto* name : {"sid", "account_sid", "code_length"}) {
    json less = body;
    less.erase(name);
    EXPECT_FALSE(DecodeService(less.dump())) << name;
  }
}

TEST(DecodeMessage, TakesShortAndLongMessages) {
  for (const auto* prefix : {"SM", "MM"}) {
    const json body = {{"sid", std::string(prefix) + kHex}, {"status", "queued"}};
    EXPECT_TRUE(DecodeMessage(body.dump()));
  }
  const json other = {{"sid", std::string("CA") + kHex}, {"status", "queued"}};
  EXPECT_FALSE(DecodeMessage(other.dump()));
}

TEST(DecodeMessageCount, CountsAPage) {
  EXPECT_EQ(DecodeMessageCount(R"({"messages":[{},{}]})"), 2U);
  EXPECT_FALSE(DecodeMessageCount("{}"));
  EXPECT_FALSE(DecodeMessageCount("<html>"));
}

}  // namespace
}  // namespace countersign::otp::providers
