#include <gtest/gtest.h>

#include "tests/services/otp/providers/at_fake.h"
#include "tests/services/otp/providers/canned_server.h"

namespace countersign::otp::providers {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* kSid = "VE0123456789abcdef0123456789abcdef";

class TwilioCheckTest : public testing::Test {
 protected:
  void SetUp() override {
    sid_ = SendNow(*provider_, at_.Order()).provider_sid;
    code_ = at_.steering.Code(kPhone);
    wrong_ = code_ == "000000" ? "000001" : "000000";
  }
  CheckOutcome Check(const std::string& code, bool answer_was_lost = false) {
    return CheckNow(*provider_, {.provider_sid = sid_,
                                 .purpose = "signup",
                                 .code = Secret<std::string>(code),
                                 .answer_was_lost = answer_was_lost});
  }
  void AddFault(json rule, const std::string& operation = "CreateVerificationCheck") {
    rule["operation"] = operation;
    rule["count"] = 1;
    at_.steering.AddFault(rule);
  }
  CheckStatus CheckAt(int status, const std::string& body) {
    const CannedServer server(status, body);
    auto config = at_.ConfigFor("twilio-verify");
    config.twilio.verify_url = server.url();
    return CheckNow(
               *at_.Make(config),
               {.provider_sid = kSid, .purpose = "signup", .code = Secret<std::string>("482915")})
        .status;
  }

  AtFake at_;
  std::unique_ptr<Provider> provider_ = at_.Make("twilio-verify");
  std::string sid_;
  std::string code_;
  std::string wrong_;
};

TEST_F(TwilioCheckTest, NeverApprovesWithoutAClearYes) {
  for (const json& rule :
       {json{{"status", 500}}, json{{"status", 500}, {"effect", "after"}}, json{{"body", "html"}},
        json{{"body", "empty"}}, json{{"body", "truncated"}}, json{{"malformed_sid", true}},
        json{{"drop", "before"}}, json{{"drop", "after"}}, json{{"status", 302}},
        json{{"status", 403}, {"code", 99999}}}) {
    AddFault(rule);
    EXPECT_EQ(Check(wrong_).status, CheckStatus::kUnknown) << rule;
  }
}

TEST_F(TwilioCheckTest, TellsAQuestionThatWasNotAsked) {
  AddFault({{"status", 429}, {"retry_after", 4}});
  const auto throttled = Check(code_);
  AddFault({{"status", 401}, {"code", 20003}});
  const auto refused = Check(code_);
  AddFault({{"status", 404}, {"body", "html"}});
  const auto elsewhere = Check(code_);
  auto config = at_.ConfigFor("twilio-verify");
  config.twilio.verify_url = "http://127.0.0.1:1";
  const auto nobody =
      CheckNow(*at_.Make(config),
               {.provider_sid = sid_, .purpose = "signup", .code = Secret<std::string>(code_)});
  const auto nowhere = CheckNow(
      *provider_, {.provider_sid = sid_, .purpose = "payment", .code = Secret<std::string>(code_)});

  EXPECT_EQ(throttled.status, CheckStatus::kNotAsked);
  EXPECT_EQ(throttled.retry_after, 4s);
  EXPECT_EQ(refused.status, CheckStatus::kNotAsked);
  EXPECT_EQ(elsewhere.status, CheckStatus::kNotAsked);
  EXPECT_EQ(nobody.status, CheckStatus::kNotAsked);
  EXPECT_EQ(nowhere.status, CheckStatus::kNotAsked);
  EXPECT_EQ(Check(code_).status, CheckStatus::kApproved) << "none of them cost an attempt";
}

TEST_F(TwilioCheckTest, ReadsEveryStatusOfAVerification) {
  const auto answer = [](const std::string& status) {
    return json{{"sid", kSid}, {"status", status}, {"new_field", {1, 2}}}.dump();
  };
  EXPECT_EQ(CheckAt(200, answer("approved")), CheckStatus::kApproved);
  EXPECT_EQ(CheckAt(201, answer("approved")), CheckStatus::kApproved);
  EXPECT_EQ(CheckAt(200, answer("pending")), CheckStatus::kWrong);
  for (const auto* closed : {"canceled", "max_attempts_reached", "deleted", "failed", "expired"}) {
    EXPECT_EQ(CheckAt(200, answer(closed)), CheckStatus::kGone) << closed;
  }
  EXPECT_EQ(CheckAt(200, answer("something new")), CheckStatus::kUnknown);
}

TEST_F(TwilioCheckTest, ApprovesNothingByAnAnswerAboutAnotherVerification) {
  EXPECT_EQ(CheckAt(200, R"({"sid":"VEffffffffffffffffffffffffffffffff","status":"approved"})"),
            CheckStatus::kUnknown);
}

TEST_F(TwilioCheckTest, ApprovesNothingByAnErrorThatLooksLikeAnAnswer) {
  const std::string approved = json{{"sid", kSid}, {"status", "approved"}}.dump();
  for (const int status : {400, 404, 429, 500}) {
    EXPECT_NE(CheckAt(status, approved), CheckStatus::kApproved) << status;
  }
}

TEST_F(TwilioCheckTest, SurvivesAnAnswerThatIsNoObject) {
  for (const auto* body : {"[]", "null", "\"approved\"", "1e999", "{\"sid\":", "\xff\xfe",
                           R"({"sid":null,"status":"approved"})", R"({"sid":{},"status":[]})"}) {
    EXPECT_EQ(CheckAt(200, body), CheckStatus::kUnknown) << body;
  }
  EXPECT_EQ(CheckAt(200, std::string(100'000, '[')), CheckStatus::kUnknown);
}

TEST_F(TwilioCheckTest, FindsTheApprovalWhoseAnswerWasLost) {
  AddFault({{"drop", "after"}});
  ASSERT_EQ(Check(code_).status, CheckStatus::kUnknown);

  EXPECT_EQ(Check(code_, true).status, CheckStatus::kApproved);
}

TEST_F(TwilioCheckTest, DoesNotTakeAnotherClaimForTheOneThatWasLost) {
  AddFault({{"drop", "after"}});
  ASSERT_EQ(Check(code_).status, CheckStatus::kUnknown);

  EXPECT_EQ(Check(code_).status, CheckStatus::kGone);
}

TEST_F(TwilioCheckTest, AsksAgainWhatNeverArrived) {
  AddFault({{"drop", "before"}});
  ASSERT_EQ(Check(code_).status, CheckStatus::kUnknown);

  EXPECT_EQ(Check(code_, true).status, CheckStatus::kApproved);
}

TEST_F(TwilioCheckTest, CallsALostWrongCodeWrong) {
  AddFault({{"drop", "after"}});
  ASSERT_EQ(Check(wrong_).status, CheckStatus::kUnknown);

  EXPECT_EQ(Check(wrong_, true).status, CheckStatus::kWrong);
}

TEST_F(TwilioCheckTest, ALostClaimOfACancelledVerificationIsNotApproved) {
  ASSERT_EQ(CancelNow(*provider_, {.provider_sid = sid_, .purpose = "signup"}),
            CancelStatus::kDone);

  EXPECT_EQ(Check(code_, true).status, CheckStatus::kUnknown);
}

TEST_F(TwilioCheckTest, ApprovesNothingWhenTheIndexOfAttemptsDoesNotAnswer) {
  ASSERT_EQ(Check(code_).status, CheckStatus::kApproved);
  for (const json& rule :
       {json{{"status", 500}}, json{{"body", "html"}}, json{{"body", "truncated"}},
        json{{"status", 429}}, json{{"status", 401}}}) {
    AddFault(rule, "ListVerificationAttempt");
    EXPECT_EQ(Check(code_, true).status, CheckStatus::kUnknown) << rule;
  }
}

TEST(TwilioCheckWithALaggingIndex, LeavesTheQuestionOpenUntilTheIndexKnows) {
  AtFake at({"--index-lag-ms", "60000"});
  const auto provider = at.Make("twilio-verify");
  const auto sid = SendNow(*provider, at.Order()).provider_sid;
  const CheckOrder order{.provider_sid = sid,
                         .purpose = "signup",
                         .code = Secret<std::string>(at.steering.Code(kPhone)),
                         .answer_was_lost = true};
  ASSERT_EQ(CheckNow(*provider, order).status, CheckStatus::kApproved);

  EXPECT_EQ(CheckNow(*provider, order).status, CheckStatus::kUnknown);
  at.steering.Advance(61s);
  EXPECT_EQ(CheckNow(*provider, order).status, CheckStatus::kApproved);
}

}  // namespace
}  // namespace countersign::otp::providers
