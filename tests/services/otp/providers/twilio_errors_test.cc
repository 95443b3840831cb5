#include "services/otp/providers/twilio_errors.h"

#include <gtest/gtest.h>

#include "tests/services/otp/providers/at_fake.h"

namespace countersign::otp::providers {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

struct Case {
  int http_status;
  int code;  // 0: a body without one
  SendStatus status;
  Refusal refusal = Refusal::kNone;
};

// What the documentation of each code says, one or more for each class.
const Case kCases[] = {
    {429, 20429, SendStatus::kNotSent},
    {429, 21611, SendStatus::kNotSent},
    {429, 99999, SendStatus::kNotSent},
    {429, 60202, SendStatus::kRejected, Refusal::kTooManyAttempts},
    {429, 60203, SendStatus::kRejected, Refusal::kTooManyAttempts},
    {500, 20500, SendStatus::kUnknown},
    {503, 20503, SendStatus::kUnknown},
    {502, 60200, SendStatus::kUnknown},  // whatever the body says
    {504, 20429, SendStatus::kUnknown},
    {408, 99999, SendStatus::kUnknown},
    {400, 21211, SendStatus::kRejected, Refusal::kInvalidRecipient},
    {400, 21614, SendStatus::kRejected, Refusal::kInvalidRecipient},
    {400, 60200, SendStatus::kRejected, Refusal::kInvalidRecipient},
    {403, 60205, SendStatus::kRejected, Refusal::kInvalidRecipient},
    {400, 21610, SendStatus::kRejected, Refusal::kOptedOut},
    {403, 21408, SendStatus::kRejected, Refusal::kDestinationBlocked},
    {403, 60605, SendStatus::kRejected, Refusal::kDestinationBlocked},
    {403, 60238, SendStatus::kRejected, Refusal::kDestinationBlocked},
    {403, 60410, SendStatus::kRejected, Refusal::kFraudBlocked},
    {429, 60410, SendStatus::kRejected, Refusal::kFraudBlocked},
    {400, 30450, SendStatus::kRejected, Refusal::kFraudBlocked},
    {400, 21612, SendStatus::kRejected, Refusal::kChannelUnavailable},
    {400, 60223, SendStatus::kRejected, Refusal::kChannelUnavailable},
    {401, 20003, SendStatus::kRejected, Refusal::kProviderMisconfigured},
    {401, 99999, SendStatus::kRejected, Refusal::kProviderMisconfigured},
    {403, 20403, SendStatus::kRejected, Refusal::kProviderMisconfigured},
    {403, 70051, SendStatus::kRejected, Refusal::kProviderMisconfigured},
    {400, 21606, SendStatus::kRejected, Refusal::kProviderMisconfigured},
    {403, 60204, SendStatus::kRejected, Refusal::kProviderMisconfigured},
    {404, 20404, SendStatus::kRejected, Refusal::kProviderMisconfigured},
    {404, 99999, SendStatus::kRejected, Refusal::kProviderMisconfigured},
    {400, 30007, SendStatus::kRejected, Refusal::kRejectedContent},
    {400, 21617, SendStatus::kRejected, Refusal::kRejectedContent},
    {400, 30003, SendStatus::kRejected, Refusal::kDeliveryFailed},
    {400, 99999, SendStatus::kRejected, Refusal::kRejected},
    {403, 99999, SendStatus::kRejected, Refusal::kRejected},
};

class ErrorTable : public testing::TestWithParam<const char*> {};

TEST_P(ErrorTable, TellsTheCallerWhatEachRefusalMeans) {
  AtFake at;
  const auto provider = at.Make(GetParam());
  const std::string operation =
      std::string(GetParam()) == "twilio-verify" ? "CreateVerification" : "CreateMessage";
  for (const Case& each : kCases) {
    at.steering.AddFault({{"operation", operation},
                          {"status", each.http_status},
                          {"code", each.code},
                          {"count", 1}});

    const auto outcome = SendNow(*provider, at.Order());

    EXPECT_EQ(outcome.status, each.status) << outcome.detail;
    EXPECT_EQ(Word(outcome.refusal), Word(each.refusal)) << outcome.detail;
    EXPECT_EQ(outcome.provider_code, each.code);
  }
  EXPECT_EQ(at.steering.Processed(), 0);
}

TEST_P(ErrorTable, KeysOnTheStatusWhereAProxyAnswersInHtml) {
  AtFake at;
  const auto provider = at.Make(GetParam());
  const Case cases[] = {
      {429, 0, SendStatus::kNotSent},
      {401, 0, SendStatus::kRejected, Refusal::kProviderMisconfigured},
      {407, 0, SendStatus::kRejected, Refusal::kProviderMisconfigured},
      {404, 0, SendStatus::kRejected, Refusal::kProviderMisconfigured},
      {403, 0, SendStatus::kRejected, Refusal::kRejected},
      {408, 0, SendStatus::kUnknown},
      {502, 0, SendStatus::kUnknown},
      {302, 0, SendStatus::kUnknown},
  };
  for (const Case& each : cases) {
    at.steering.AddFault(
        {{"operation", "Create*"}, {"status", each.http_status}, {"body", "html"}, {"count", 1}});

    const auto outcome = SendNow(*provider, at.Order());

    EXPECT_EQ(outcome.status, each.status) << outcome.detail;
    EXPECT_EQ(Word(outcome.refusal), Word(each.refusal)) << outcome.detail;
    EXPECT_EQ(outcome.provider_code, 0);
  }
}

TEST_P(ErrorTable, PassesOnHowLongToWait) {
  AtFake at;
  const auto provider = at.Make(GetParam());
  struct Wait {
    std::string text;
    std::chrono::milliseconds expected;
  };
  const Wait waits[] = {
      {"7", 7s},
      {"0", 0s},
      {"Tue, 14 Nov 2023 22:13:30 GMT", 10s},  // the clock says 22:13:20
      {"Tue, 14 Nov 2023 22:00:00 GMT", 0s},
      {"999999999999", 12h},
      {"soon", 0s},
      {"-3", 0s},
      {"string", 0s},
  };
  for (const auto& wait : waits) {
    at.steering.AddFault(
        {{"operation", "Create*"}, {"status", 429}, {"retry_after", wait.text}, {"count", 1}});

    const auto outcome = SendNow(*provider, at.Order());

    EXPECT_EQ(outcome.status, SendStatus::kNotSent);
    EXPECT_EQ(outcome.retry_after, wait.expected) << wait.text;
  }
  EXPECT_EQ(at.steering.Processed(), 0);
}

INSTANTIATE_TEST_SUITE_P(Providers, ErrorTable,
                         testing::Values("twilio-verify", "twilio-messaging"), NameOf);

TEST(Classify, CallsNothingButAClientErrorARefusal) {
  for (const int status : {0, 100, 200, 204, 301, 307, 500, 503, 599}) {
    EXPECT_EQ(Classify(status, 60200), (ErrorClass{SendStatus::kUnknown, Refusal::kNone}))
        << status;
  }
}

}  // namespace
}  // namespace countersign::otp::providers
