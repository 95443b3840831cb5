#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/services/otp/providers/at_fake.h"
#include "tests/services/otp/providers/canned_server.h"

namespace countersign::otp::providers {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;

class TwilioVerifyTest : public testing::Test {
 protected:
  SendOutcome Send(SendOrder order) { return SendNow(*provider_, std::move(order)); }
  // A send that must go well; its sid.
  std::string Sent(SendOrder order) {
    const auto outcome = Send(std::move(order));
    EXPECT_EQ(outcome.status, SendStatus::kSent) << outcome.detail;
    return outcome.provider_sid;
  }
  CheckStatus Check(const std::string& sid, const std::string& code) {
    return CheckNow(*provider_,
                    {.provider_sid = sid, .purpose = "signup", .code = Secret<std::string>(code)})
        .status;
  }
  SendOrder Replacing(const std::string& sid) {
    SendOrder order = at_.Order();
    order.supersedes_sid = sid;
    return order;
  }
  SendOrder ReplacingTheUnknown() {
    SendOrder order = at_.Order();
    order.supersedes_unknown = true;
    return order;
  }
  void AddFault(const json& rule) { at_.steering.AddFault(rule); }
  std::string CodeOnPhone() { return at_.steering.Code(kPhone); }

  AtFake at_;
  std::unique_ptr<Provider> provider_ = at_.Make("twilio-verify");
};

TEST_F(TwilioVerifyTest, SaysWhatItCanDo) {
  EXPECT_EQ(provider_->Describe().name, "twilio-verify");
  EXPECT_TRUE(provider_->Describe().makes_code);
  EXPECT_THAT(provider_->Describe().channels,
              testing::ElementsAre(Channel::kSms, Channel::kWhatsapp, Channel::kVoice));
}

TEST_F(TwilioVerifyTest, OTP3_ApprovesARightCodeOnce) {
  const auto sid = Sent(at_.Order());
  const auto code = CodeOnPhone();

  EXPECT_EQ(Check(sid, code), CheckStatus::kApproved);
  EXPECT_EQ(Check(sid, code), CheckStatus::kGone);
}

TEST_F(TwilioVerifyTest, CountsWrongCodesUntilTheVerificationIsLocked) {
  const auto sid = Sent(at_.Order());
  const auto code = CodeOnPhone();
  const std::string wrong = code == "000000" ? "000001" : "000000";

  for (int i = 0; i < 5; ++i) EXPECT_EQ(Check(sid, wrong), CheckStatus::kWrong);

  EXPECT_EQ(Check(sid, code), CheckStatus::kGone);
}

TEST_F(TwilioVerifyTest, OTP2_AcceptsNoCodeAfterItsLife) {
  const auto sid = Sent(at_.Order());
  const auto code = CodeOnPhone();
  at_.steering.Advance(601s);

  EXPECT_EQ(Check(sid, code), CheckStatus::kGone);
}

TEST_F(TwilioVerifyTest, CallsACodeThatTheProviderFindsMalformedWrong) {
  const auto sid = Sent(at_.Order());

  EXPECT_EQ(Check(sid, "1"), CheckStatus::kWrong);
}

TEST_F(TwilioVerifyTest, TellsTheProviderWhatTheOrderSays) {
  SendOrder order = at_.Order();
  order.channel = Channel::kVoice;
  order.locale = "pt-BR";
  order.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const std::string attempt = ToString(order.attempt_id);
  const std::string trace = order.traceparent;

  Sent(std::move(order));

  const json request = at_.steering.LastRequest();
  EXPECT_EQ(request["form"], json({{"To", kPhone},
                                   {"Channel", "call"},
                                   {"Locale", "pt-BR"},
                                   {"Tags", R"({"aid":")" + attempt + R"("})"}}));
  EXPECT_EQ(request["traceparent"], trace);
  EXPECT_THAT(request["target"].get<std::string>(), HasSubstr(at_.fake.services()[0]));
}

TEST_F(TwilioVerifyTest, UsesOneServiceForEachPurpose) {
  SendOrder order = at_.Order();
  order.purpose = "login";

  Sent(std::move(order));

  EXPECT_THAT(at_.steering.LastRequest()["target"].get<std::string>(),
              HasSubstr(at_.fake.services()[1]));
}

TEST_F(TwilioVerifyTest, KeepsTheCodesOfTwoPurposesApart) {
  const auto signup = Sent(at_.Order());
  const auto signup_code = CodeOnPhone();
  SendOrder order = at_.Order();
  order.purpose = "login";
  const auto login = Sent(std::move(order));

  EXPECT_NE(signup, login);
  EXPECT_NE(signup_code, CodeOnPhone());
}

TEST_F(TwilioVerifyTest, RefusesAPurposeWithoutAService) {
  SendOrder order = at_.Order();
  order.purpose = "payment";

  const auto outcome = Send(std::move(order));

  EXPECT_EQ(outcome.status, SendStatus::kRejected);
  EXPECT_EQ(outcome.refusal, Refusal::kProviderMisconfigured);
  EXPECT_THAT(outcome.detail, HasSubstr("twilio.verify_services"));
}

TEST_F(TwilioVerifyTest, PassesOnNothingThatIsNoLocaleOrTrace) {
  SendOrder order = at_.Order();
  order.locale = "de&To=+1";
  order.traceparent = "x\r\nX-Forged: 1";

  Sent(std::move(order));

  EXPECT_FALSE(at_.steering.LastRequest()["form"].contains("Locale"));
  EXPECT_EQ(at_.steering.LastRequest()["traceparent"], "");
}

TEST_F(TwilioVerifyTest, OTP13_AResendCancelsTheOldCodeAndGetsANewOne) {
  const auto first = Sent(at_.Order());
  const auto first_code = CodeOnPhone();

  const auto second = Sent(Replacing(first));

  EXPECT_NE(second, first);
  EXPECT_NE(CodeOnPhone(), first_code);
  EXPECT_EQ(Check(first, first_code), CheckStatus::kGone);
  EXPECT_EQ(Check(second, CodeOnPhone()), CheckStatus::kApproved);
}

TEST_F(TwilioVerifyTest, SendsAgainWhenTheOldVerificationIsGone) {
  const auto first = Sent(at_.Order());
  at_.steering.Advance(700s);

  EXPECT_NE(Sent(Replacing(first)), first);
}

TEST_F(TwilioVerifyTest, ASecondSignUpSixMinutesLaterGetsANewCodeWithAFullLife) {
  const auto first = Sent(at_.Order());
  const auto first_code = CodeOnPhone();
  at_.steering.Advance(6min);

  const auto second = Sent(Replacing(first));
  const auto second_code = CodeOnPhone();
  at_.steering.Advance(9min);  // fifteen after the first

  EXPECT_NE(second_code, first_code);
  EXPECT_EQ(Check(second, second_code), CheckStatus::kApproved);
}

// What the cancellation is for: without it the provider behaves like this.
TEST_F(TwilioVerifyTest, SaysWhenTheProviderRepeatedAnOpenVerification) {
  const auto first = Sent(at_.Order());
  const auto first_code = CodeOnPhone();
  at_.steering.Advance(6min);

  const auto outcome = Send(at_.Order());

  EXPECT_EQ(outcome.provider_sid, first);
  EXPECT_EQ(CodeOnPhone(), first_code);
  EXPECT_THAT(outcome.detail, HasSubstr("repeats an open verification"));
}

TEST_F(TwilioVerifyTest, ReplacesASendWhoseOutcomeIsUnknown) {
  AddFault({{"operation", "CreateVerification"}, {"drop", "after"}, {"count", 1}});
  ASSERT_EQ(Send(at_.Order()).status, SendStatus::kUnknown);
  const auto first_code = CodeOnPhone();

  const auto second = Sent(ReplacingTheUnknown());

  EXPECT_NE(CodeOnPhone(), first_code);
  EXPECT_EQ(Check(second, CodeOnPhone()), CheckStatus::kApproved);
}

TEST_F(TwilioVerifyTest, ReplacesAnUnknownSendThatNeverHappened) {
  AddFault({{"operation", "CreateVerification"}, {"drop", "before"}, {"count", 1}});
  ASSERT_EQ(Send(at_.Order()).status, SendStatus::kUnknown);

  Sent(ReplacingTheUnknown());

  EXPECT_EQ(at_.steering.Processed(), 1);
}

TEST_F(TwilioVerifyTest, ReplacesBothAKnownAndAnUnknownSend) {
  const auto first = Sent(at_.Order());
  SendOrder lost = Replacing(first);
  AddFault({{"operation", "CreateVerification"}, {"drop", "after"}, {"count", 1}});
  ASSERT_EQ(Send(std::move(lost)).status, SendStatus::kUnknown);
  const auto lost_code = CodeOnPhone();
  SendOrder third = Replacing(first);
  third.supersedes_unknown = true;

  Sent(std::move(third));

  EXPECT_NE(CodeOnPhone(), lost_code);
}

TEST_F(TwilioVerifyTest, SendsNothingWhenTheCancellationFails) {
  const auto first = Sent(at_.Order());
  const json faults[] = {{{"status", 500}},
                         {{"status", 500}, {"effect", "after"}},
                         {{"drop", "before"}},
                         {{"drop", "after"}},
                         {{"status", 429}},
                         {{"status", 404}, {"body", "html"}},
                         {{"status", 307}},
                         {{"body", "truncated"}},
                         {{"status", 400}, {"code", 60200}}};
  for (json rule : faults) {
    rule["operation"] = "UpdateVerification";
    rule["count"] = 1;
    AddFault(rule);
    const auto outcome = Send(Replacing(first));
    // What the fake may have cancelled stays cancelled: for the next rule there is a new one.
    EXPECT_TRUE(outcome.status == SendStatus::kNotSent ||
                outcome.refusal == Refusal::kProviderMisconfigured)
        << rule << outcome.detail;
    EXPECT_EQ(at_.steering.Processed(), 1) << rule;
  }
}

TEST_F(TwilioVerifyTest, PassesOnTheWaitOfAThrottledCancellation) {
  const auto first = Sent(at_.Order());
  AddFault({{"operation", "UpdateVerification"}, {"status", 429}, {"retry_after", 9}});

  const auto outcome = Send(Replacing(first));

  EXPECT_EQ(outcome.status, SendStatus::kNotSent);
  EXPECT_EQ(outcome.retry_after, 9s);
}

TEST_F(TwilioVerifyTest, SaysThatCredentialsAreWrongAlreadyAtTheCancellation) {
  AddFault({{"operation", "UpdateVerification"}, {"status", 401}, {"code", 20003}});

  const auto outcome = Send(Replacing("VE00000000000000000000000000000000"));

  EXPECT_EQ(outcome.status, SendStatus::kRejected);
  EXPECT_EQ(outcome.refusal, Refusal::kProviderMisconfigured);
}

TEST_F(TwilioVerifyTest, BoundsCancellationAndSendByOneDeadline) {
  const auto first = Sent(at_.Order());
  AddFault({{"operation", "UpdateVerification"}, {"latency_after_ms", 250}});
  AddFault({{"operation", "CreateVerification"}, {"latency_ms", 3000}});
  const auto started = std::chrono::steady_clock::now();

  const auto outcome = SendNow(*provider_, Replacing(first), 400ms);

  EXPECT_EQ(outcome.status, SendStatus::kUnknown);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 2s);
}

TEST_F(TwilioVerifyTest, TriesOnceMoreAfterACollision) {
  AddFault({{"operation", "CreateVerification"}, {"status", 429}, {"code", 60212}, {"count", 1}});
  const auto started = std::chrono::steady_clock::now();

  Sent(at_.Order());

  EXPECT_GE(std::chrono::steady_clock::now() - started, 1s);
  EXPECT_EQ(at_.steering.Calls("CreateVerification"), 2);
  EXPECT_EQ(at_.steering.Processed(), 1);
}

TEST_F(TwilioVerifyTest, GivesUpAfterASecondCollision) {
  AddFault({{"operation", "CreateVerification"}, {"status", 429}, {"code", 60212}});

  const auto outcome = Send(at_.Order());

  EXPECT_EQ(outcome.status, SendStatus::kNotSent);
  EXPECT_EQ(outcome.provider_code, 60212);
  EXPECT_GE(outcome.retry_after, 1s);
  EXPECT_EQ(at_.steering.Calls("CreateVerification"), 2);
}

TEST_F(TwilioVerifyTest, DoesNotTryAgainBeyondItsDeadline) {
  AddFault({{"operation", "CreateVerification"}, {"status", 429}, {"code", 60212}, {"count", 1}});

  EXPECT_EQ(SendNow(*provider_, at_.Order(), 1s).status, SendStatus::kNotSent);
  EXPECT_EQ(at_.steering.Calls("CreateVerification"), 1);
}

TEST_F(TwilioVerifyTest, CallsARecipientWithAllSendsUsedLocked) {
  for (int i = 0; i < 5; ++i) Sent(at_.Order());

  const auto outcome = Send(at_.Order());

  EXPECT_EQ(outcome.status, SendStatus::kRejected);
  EXPECT_EQ(outcome.refusal, Refusal::kTooManyAttempts);
  EXPECT_EQ(outcome.provider_code, 60203);
}

TEST_F(TwilioVerifyTest, CancelsAndMayBeAskedToAgain) {
  const auto sid = Sent(at_.Order());
  const auto code = CodeOnPhone();

  EXPECT_EQ(CancelNow(*provider_, {.provider_sid = sid, .purpose = "signup"}), CancelStatus::kDone);
  EXPECT_EQ(CancelNow(*provider_, {.provider_sid = sid, .purpose = "signup"}), CancelStatus::kDone);
  EXPECT_EQ(Check(sid, code), CheckStatus::kGone);
}

TEST_F(TwilioVerifyTest, HasNothingToCancelWithoutASid) {
  EXPECT_EQ(CancelNow(*provider_, {.provider_sid = "", .purpose = "signup"}), CancelStatus::kDone);
  EXPECT_EQ(CancelNow(*provider_, {.provider_sid = "VE0", .purpose = "payment"}),
            CancelStatus::kDone);
  EXPECT_EQ(at_.steering.Calls("UpdateVerification"), 0);
}

TEST_F(TwilioVerifyTest, AsksToRepeatACancellationThatIsNotProven) {
  const auto sid = Sent(at_.Order());
  for (json rule : {json{{"status", 500}}, json{{"status", 429}}, json{{"drop", "before"}},
                    json{{"status", 404}, {"body", "html"}}}) {
    rule["operation"] = "UpdateVerification";
    rule["count"] = 1;
    AddFault(rule);
    EXPECT_EQ(CancelNow(*provider_, {.provider_sid = sid, .purpose = "signup"}),
              CancelStatus::kTryAgain)
        << rule;
  }
  EXPECT_EQ(CancelNow(*provider_, {.provider_sid = sid, .purpose = "signup"}), CancelStatus::kDone);
}

TEST_F(TwilioVerifyTest, DoesNotCallAVerificationThatIsStillPendingCancelled) {
  const CannedServer server(200,
                            R"({"sid":"VE00000000000000000000000000000000","status":"pending"})");
  auto config = at_.ConfigFor("twilio-verify");
  config.twilio.verify_url = server.url();

  EXPECT_EQ(CancelNow(*at_.Make(config),
                      {.provider_sid = "VE00000000000000000000000000000000", .purpose = "signup"}),
            CancelStatus::kTryAgain);
}

}  // namespace
}  // namespace countersign::otp::providers
