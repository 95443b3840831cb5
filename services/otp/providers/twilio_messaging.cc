#include "services/otp/providers/twilio_messaging.h"

#include <algorithm>
#include <utility>

#include "services/otp/providers/twilio_answers.h"
#include "services/otp/providers/twilio_errors.h"

namespace countersign::otp::providers {
namespace {

// What ValidityPeriod takes is 1 to 36000 seconds, but below five Twilio promises nothing.
constexpr std::chrono::seconds kShortestValidity{6};
constexpr std::chrono::seconds kLongestValidity{36'000};

SendOutcome OutcomeOfCreate(const Answer& answer) {
  if (!answer.Succeeded()) return Unsuccessful(answer);
  const auto message = DecodeMessage(answer.body);
  if (!message) return {.status = SendStatus::kUnknown, .detail = answer.detail + ", unreadable"};
  const bool failed = message->status == "failed" || message->status == "undelivered" ||
                      message->status == "canceled";
  if (!failed) {
    return {.status = SendStatus::kSent, .provider_sid = message->sid, .detail = answer.detail};
  }
  SendOutcome outcome{.status = SendStatus::kRejected,
                      .provider_sid = message->sid,
                      .refusal = Refusal::kDeliveryFailed,
                      .provider_code = message->error_code,
                      .detail = answer.detail + ", " + message->status};
  const ErrorClass meaning = Classify(400, message->error_code);
  const bool known =
      meaning.status == SendStatus::kRejected && meaning.refusal != Refusal::kRejected;
  if (known) outcome.refusal = meaning.refusal;
  return outcome;
}

}  // namespace

TwilioMessaging::TwilioMessaging(TwilioConfig config, MessageText text, const Clock& clock)
    : config_(std::move(config)),
      text_(std::move(text)),
      capabilities_{.name = "twilio-messaging", .makes_code = false, .channels = {Channel::kSms}},
      api_(config_, clock) {}

std::string TwilioMessaging::Path() const {
  return "/2010-04-01/Accounts/" + config_.account_sid + "/Messages.json";
}

http::FormFields TwilioMessaging::FormOf(const SendOrder& order) const {
  const auto validity = std::clamp(order.life, kShortestValidity, kLongestValidity);
  http::FormFields form = {{"To", order.to.Reveal()},
                           {"Body", text_.Render(order.code, order.life)},
                           {"ValidityPeriod", std::to_string(validity.count())}};
  if (config_.messaging_service_sid.empty()) {
    form.emplace_back("From", config_.from);
  } else {
    form.emplace_back("MessagingServiceSid", config_.messaging_service_sid);
  }
  // The callback carries our id, so it proves the send even if the answer got lost.
  if (!config_.status_callback.empty()) {
    form.emplace_back("StatusCallback",
                      config_.status_callback + "?aid=" + ToString(order.attempt_id));
  }
  return form;
}

void TwilioMessaging::Send(SendOrder order, Deadline deadline, SendDone done) {
  if (order.channel != Channel::kSms) {
    done({.status = SendStatus::kRejected,
          .refusal = Refusal::kChannelUnavailable,
          .detail = "twilio-messaging sends SMS only"});
    return;
  }
  api_.Send({.operation = kCreateMessage,
             .path = Path(),
             .form = FormOf(order),
             .traceparent = std::move(order.traceparent),
             .request_id = ToString(order.attempt_id)},
            deadline,
            [done = std::move(done)](const Answer& answer) { done(OutcomeOfCreate(answer)); });
}

void TwilioMessaging::Check(CheckOrder /*order*/, Deadline /*deadline*/, CheckDone done) {
  done({.status = CheckStatus::kGone, .detail = "twilio-messaging makes no codes"});
}

void TwilioMessaging::Cancel(CancelOrder /*order*/, Deadline /*deadline*/, CancelDone done) {
  done(CancelStatus::kDone);
}

Health TwilioMessaging::SelfCheck(Deadline deadline) {
  const auto wrong = [](std::string message) {
    return Health{.status = Health::Status::kMisconfigured, .message = std::move(message)};
  };
  if (auto fault = CredentialFault(config_); !fault.empty()) return wrong(std::move(fault));
  if (config_.from.empty() == config_.messaging_service_sid.empty()) {
    return wrong("twilio.from or twilio.messaging_service_sid: exactly one of them is needed");
  }
  if (config_.from.empty()) {
    auto fault = SidFault("twilio.messaging_service_sid", config_.messaging_service_sid, "MG");
    if (!fault.empty()) return wrong(std::move(fault));
  }
  const Answer answer = api_.SendAndWait(
      {.operation = kListMessage, .path = Path(), .form = {{"PageSize", "1"}}}, deadline);
  Health health =
      HealthOf(answer, config_, {.subject = "twilio.account_sid", .url = "twilio.api_url"});
  if (health.status == Health::Status::kReady && !DecodeMessageCount(answer.body)) {
    return wrong("twilio.api_url: what answers there is not the messages API");
  }
  return health;
}

}  // namespace countersign::otp::providers
