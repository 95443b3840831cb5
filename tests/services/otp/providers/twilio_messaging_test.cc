#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/services/otp/providers/at_fake.h"
#include "tests/services/otp/providers/canned_server.h"

namespace countersign::otp::providers {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

class TwilioMessagingTest : public testing::Test {
 protected:
  json FormOf(const Config& config, SendOrder order) {
    const auto outcome = SendNow(*at_.Make(config), std::move(order));
    EXPECT_EQ(outcome.status, SendStatus::kSent) << outcome.detail;
    return at_.steering.LastRequest()["form"];
  }
  SendOutcome SendAt(const std::string& body) {
    const CannedServer server(201, body);
    auto config = at_.ConfigFor("twilio-messaging");
    config.twilio.api_url = server.url();
    return SendNow(*at_.Make(config), at_.Order());
  }

  AtFake at_;
};

TEST_F(TwilioMessagingTest, SaysWhatItCanDo) {
  const auto provider = at_.Make("twilio-messaging");
  EXPECT_EQ(provider->Describe().name, "twilio-messaging");
  EXPECT_FALSE(provider->Describe().makes_code);
  EXPECT_THAT(provider->Describe().channels, testing::ElementsAre(Channel::kSms));
}

TEST_F(TwilioMessagingTest, BringsOurCodeToThePhone) {
  const auto provider = at_.Make("twilio-messaging");

  const auto outcome = SendNow(*provider, at_.Order());

  ASSERT_EQ(outcome.status, SendStatus::kSent) << outcome.detail;
  const json message = at_.steering.Messages(kPhone).back();
  EXPECT_EQ(message["code"], "482915");
  EXPECT_EQ(message["sid"], outcome.provider_sid);
  EXPECT_EQ(message["text"], "482915 is your verification code. It is valid for 5 min.");
}

TEST_F(TwilioMessagingTest, SendsFromOneSenderAndNothingElse) {
  EXPECT_EQ(FormOf(at_.ConfigFor("twilio-messaging"), at_.Order()),
            json({{"To", kPhone},
                  {"From", "+15005550006"},
                  {"Body", "482915 is your verification code. It is valid for 5 min."},
                  {"ValidityPeriod", "300"}}));
}

TEST_F(TwilioMessagingTest, SendsFromAPoolOfSenders) {
  auto config = at_.ConfigFor("twilio-messaging");
  config.twilio.from = "";
  config.twilio.messaging_service_sid = "MG00000000000000000000000000000001";

  const json form = FormOf(config, at_.Order());

  EXPECT_EQ(form["MessagingServiceSid"], "MG00000000000000000000000000000001");
  EXPECT_FALSE(form.contains("From"));
}

TEST_F(TwilioMessagingTest, PutsTheAttemptIntoTheCallback) {
  auto config = at_.ConfigFor("twilio-messaging");
  config.twilio.status_callback = "https://auth.example.com/twilio";
  SendOrder order = at_.Order();
  const std::string attempt = ToString(order.attempt_id);

  const json form = FormOf(config, std::move(order));

  EXPECT_EQ(form["StatusCallback"], "https://auth.example.com/twilio?aid=" + attempt);
  EXPECT_EQ(at_.steering.Look("/_fake/ledger")["sends"].back()["attempt_id"], attempt);
}

TEST_F(TwilioMessagingTest, LetsAMessageLiveNoLongerThanItsCode) {
  struct Life {
    std::chrono::seconds left;
    const char* validity;
  };
  for (const auto& life : {Life{1s, "6"}, Life{6s, "6"}, Life{299s, "299"}, Life{24h, "36000"}}) {
    SendOrder order = at_.Order();
    order.life = life.left;
    EXPECT_EQ(FormOf(at_.ConfigFor("twilio-messaging"), std::move(order))["ValidityPeriod"],
              life.validity);
  }
}

TEST_F(TwilioMessagingTest, RefusesAnotherChannelWithoutAsking) {
  SendOrder order = at_.Order();
  order.channel = Channel::kVoice;

  const auto outcome = SendNow(*at_.Make("twilio-messaging"), std::move(order));

  EXPECT_EQ(outcome.status, SendStatus::kRejected);
  EXPECT_EQ(outcome.refusal, Refusal::kChannelUnavailable);
  EXPECT_EQ(at_.steering.Calls("CreateMessage"), 0);
}

// The numbers with which the provider lets its clients try refusals.
TEST_F(TwilioMessagingTest, TellsTheRefusalsOfTheTestNumbers) {
  const auto provider = at_.Make("twilio-messaging");
  struct Number {
    const char* phone;
    Refusal refusal;
  };
  for (const auto& number : {Number{"+15005550001", Refusal::kInvalidRecipient},
                             Number{"+15005550002", Refusal::kChannelUnavailable},
                             Number{"+15005550003", Refusal::kDestinationBlocked},
                             Number{"+15005550004", Refusal::kOptedOut},
                             Number{"+15005550009", Refusal::kInvalidRecipient}}) {
    const auto outcome = SendNow(*provider, at_.Order(number.phone));
    EXPECT_EQ(outcome.status, SendStatus::kRejected);
    EXPECT_EQ(Word(outcome.refusal), Word(number.refusal)) << number.phone;
  }
}

TEST_F(TwilioMessagingTest, FindsAMessageThatFailedAtOnce) {
  const std::string sid = "SM0123456789abcdef0123456789abcdef";
  const auto failed =
      SendAt(json{{"sid", sid}, {"status", "failed"}, {"error_code", 30006}}.dump());
  const auto unexplained =
      SendAt(json{{"sid", sid}, {"status", "undelivered"}, {"error_code", nullptr}}.dump());
  const auto taken = SendAt(json{{"sid", sid}, {"status", "accepted"}}.dump());

  EXPECT_EQ(failed.status, SendStatus::kRejected);
  EXPECT_EQ(failed.refusal, Refusal::kInvalidRecipient);
  EXPECT_EQ(failed.provider_code, 30006);
  EXPECT_EQ(unexplained.refusal, Refusal::kDeliveryFailed);
  EXPECT_EQ(taken.status, SendStatus::kSent);
}

TEST_F(TwilioMessagingTest, ChecksAndCancelsNothing) {
  const auto provider = at_.Make("twilio-messaging");

  EXPECT_EQ(
      CheckNow(*provider,
               {.provider_sid = "SM0", .purpose = "signup", .code = Secret<std::string>("482915")})
          .status,
      CheckStatus::kGone);
  EXPECT_EQ(CancelNow(*provider, {.provider_sid = "SM0", .purpose = "signup"}),
            CancelStatus::kDone);
  EXPECT_EQ(at_.steering.Look("/_fake/requests")["requests"].size(), 0U);
}

}  // namespace
}  // namespace countersign::otp::providers
