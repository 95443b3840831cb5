#include "services/otp/providers/twilio_verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "services/otp/providers/twilio_answers.h"
#include "services/otp/providers/twilio_errors.h"

namespace countersign::otp::providers {
namespace {

// After a collision with another request for the number; that one ends within about a second.
constexpr std::chrono::milliseconds kSecondTryAfter{1'500};
constexpr int kShortestCode = 6;
// A verification has at most five sends.
constexpr std::string_view kAttemptsPage = "20";

std::string_view ChannelWord(Channel channel) {
  switch (channel) {
    case Channel::kWhatsapp:
      return "whatsapp";
    case Channel::kVoice:
      return "call";
    case Channel::kSms:
      break;
  }
  return "sms";
}

// What we call a locale came from a client, so only what can be one is passed on.
bool IsLocale(std::string_view text) {
  constexpr std::size_t kLongest = 35;  // BCP 47 section 4.4.1
  return !text.empty() && text.size() <= kLongest && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool IsGone(const Answer& answer) { return answer.status == 404 && answer.code == kCodeNotFound; }

CancelStatus CancelStatusOf(const Answer& answer) {
  if (IsGone(answer)) return CancelStatus::kDone;
  if (!answer.Succeeded()) return CancelStatus::kTryAgain;
  const auto verification = DecodeVerification(answer.body);
  return verification && verification->status != "pending" ? CancelStatus::kDone
                                                           : CancelStatus::kTryAgain;
}

SendOutcome OutcomeOfCreate(const Answer& answer) {
  if (!answer.Succeeded()) return Unsuccessful(answer);
  const auto verification = DecodeVerification(answer.body);
  if (!verification) {
    return {.status = SendStatus::kUnknown, .detail = answer.detail + ", unreadable"};
  }
  SendOutcome outcome{
      .status = SendStatus::kSent, .provider_sid = verification->sid, .detail = answer.detail};
  if (verification->sends > 1) outcome.detail += ", repeats an open verification";
  return outcome;
}

CheckStatus StatusOfAnswered(const Answer& answer, const std::string& asked_sid) {
  const auto check = DecodeCheck(answer.body);
  // An answer about another verification must approve nothing.
  if (!check || check->sid != asked_sid) return CheckStatus::kUnknown;
  if (check->status == "approved") return CheckStatus::kApproved;
  if (check->status == "pending") return CheckStatus::kWrong;
  for (const auto* closed : {"canceled", "max_attempts_reached", "deleted", "failed", "expired"}) {
    if (check->status == closed) return CheckStatus::kGone;
  }
  return CheckStatus::kUnknown;
}

CheckStatus StatusOfCheck(const Answer& answer, const std::string& asked_sid) {
  if (answer.status == 0) {
    return answer.maybe_sent ? CheckStatus::kUnknown : CheckStatus::kNotAsked;
  }
  if (answer.Succeeded()) return StatusOfAnswered(answer, asked_sid);
  // Malformed for the provider, so it cannot be the right one.
  if (answer.code == kCodeInvalidParameter) return CheckStatus::kWrong;
  const ErrorClass meaning = Classify(answer.status, answer.code);
  if (meaning.status == SendStatus::kNotSent) return CheckStatus::kNotAsked;
  switch (meaning.refusal) {
    case Refusal::kGone:
    case Refusal::kTooManyAttempts:
      return CheckStatus::kGone;
    case Refusal::kProviderMisconfigured:
      return CheckStatus::kNotAsked;
    default:
      return CheckStatus::kUnknown;
  }
}

}  // namespace

// Shared by the completions of its requests, of which one is under way at a time.
struct TwilioVerify::Sending {
  SendOrder order;
  std::string path;  // of the service
  Deadline deadline;
  SendDone done;
  std::deque<std::string> to_cancel;  // a sid, or a number for whatever is pending there
  bool tried_again = false;
};

struct TwilioVerify::Checking {
  CheckOrder order;
  Deadline deadline;
  CheckDone done;
};

TwilioVerify::TwilioVerify(TwilioConfig config, const Clock& clock)
    : config_(std::move(config)),
      capabilities_{.name = "twilio-verify",
                    .makes_code = true,
                    .channels = {Channel::kSms, Channel::kWhatsapp, Channel::kVoice}},
      api_(config_, clock) {}

std::string TwilioVerify::PathOf(const std::string& purpose) const {
  const VerifyServices& services = config_.verify_services;
  const std::string sid = purpose == "signup"  ? services.signup
                          : purpose == "login" ? services.login
                                               : std::string();
  return sid.empty() ? std::string() : "/v2/Services/" + sid;
}

void TwilioVerify::Send(SendOrder order, Deadline deadline, SendDone done) {
  std::string path = PathOf(order.purpose);
  if (path.empty()) {
    done({.status = SendStatus::kRejected,
          .refusal = Refusal::kProviderMisconfigured,
          .detail = "twilio.verify_services has none for purpose " + order.purpose});
    return;
  }
  const auto sending = std::make_shared<Sending>(Sending{.order = std::move(order),
                                                         .path = std::move(path),
                                                         .deadline = deadline,
                                                         .done = std::move(done),
                                                         .to_cancel = {}});
  if (!sending->order.supersedes_sid.empty()) {
    sending->to_cancel.push_back(sending->order.supersedes_sid);
  }
  if (sending->order.supersedes_unknown) sending->to_cancel.push_back(sending->order.to.Reveal());
  CancelNext(sending);
}

void TwilioVerify::CancelNext(const std::shared_ptr<Sending>& sending) {
  if (sending->to_cancel.empty()) {
    Create(sending, std::chrono::milliseconds(0));
    return;
  }
  const std::string which = http::PercentEncode(sending->to_cancel.front());
  sending->to_cancel.pop_front();
  api_.Send({.operation = kUpdateVerification,
             .path = sending->path + "/Verifications/" + which,
             .form = {{"Status", "canceled"}},
             .traceparent = sending->order.traceparent,
             .request_id = ToString(sending->order.attempt_id)},
            sending->deadline, [this, sending](const Answer& answer) {
              if (CancelStatusOf(answer) == CancelStatus::kDone) return CancelNext(sending);
              SendOutcome outcome = Unsuccessful(answer);
              // Whatever became of the cancellation: nothing went to the person.
              if (outcome.refusal != Refusal::kProviderMisconfigured) {
                outcome.status = SendStatus::kNotSent;
                outcome.refusal = Refusal::kNone;
              }
              sending->done(std::move(outcome));
            });
}

void TwilioVerify::Create(const std::shared_ptr<Sending>& sending,
                          std::chrono::milliseconds delay) {
  const SendOrder& order = sending->order;
  const std::string attempt_id = ToString(order.attempt_id);
  Ask ask{.operation = kCreateVerification,
          .path = sending->path + "/Verifications",
          .form = {{"To", order.to.Reveal()},
                   {"Channel", std::string(ChannelWord(order.channel))},
                   {"Tags", R"({"aid":")" + attempt_id + R"("})"}},
          .traceparent = order.traceparent,
          .request_id = attempt_id,
          .delay = delay};
  if (IsLocale(order.locale)) ask.form.emplace_back("Locale", order.locale);
  api_.Send(ask, sending->deadline, [this, sending](const Answer& answer) {
    SendOutcome outcome = OutcomeOfCreate(answer);
    const bool collided = outcome.status == SendStatus::kNotSent && answer.code == kCodeCollision;
    if (collided && !sending->tried_again && TimeLeft(sending->deadline) > kSecondTryAfter) {
      sending->tried_again = true;
      return Create(sending, kSecondTryAfter);
    }
    if (collided) outcome.retry_after = std::max(outcome.retry_after, kSecondTryAfter);
    sending->done(std::move(outcome));
  });
}

void TwilioVerify::Check(CheckOrder order, Deadline deadline, CheckDone done) {
  const std::string path = PathOf(order.purpose);
  if (path.empty()) {
    done({.status = CheckStatus::kNotAsked,
          .detail = "twilio.verify_services has none for purpose " + order.purpose});
    return;
  }
  const auto checking = std::make_shared<Checking>(
      Checking{.order = std::move(order), .deadline = deadline, .done = std::move(done)});
  api_.Send({.operation = kCreateVerificationCheck,
             .path = path + "/VerificationCheck",
             .form = {{"VerificationSid", checking->order.provider_sid},
                      {"Code", checking->order.code.Reveal()}},
             .traceparent = checking->order.traceparent},
            deadline, [this, checking](const Answer& answer) {
              const CheckStatus status = StatusOfCheck(answer, checking->order.provider_sid);
              if (checking->order.answer_was_lost && IsGone(answer))
                return AskWhetherConverted(checking);
              checking->done({.status = status,
                              .retry_after = answer.retry_after,
                              .provider_code = answer.code,
                              .detail = answer.detail});
            });
}

// The check that was lost may be what closed the verification. The index of attempts lags behind,
// so "unconverted" proves nothing and leaves the question open.
void TwilioVerify::AskWhetherConverted(const std::shared_ptr<Checking>& checking) {
  api_.Send({.operation = kListVerificationAttempt,
             .path = "/v2/Attempts",
             .form = {{"VerificationSid", checking->order.provider_sid},
                      {"PageSize", std::string(kAttemptsPage)}},
             .traceparent = checking->order.traceparent},
            checking->deadline, [checking](const Answer& answer) {
              const auto attempts = answer.Succeeded()
                                        ? DecodeAttempts(answer.body)
                                        : std::optional<std::vector<AttemptAnswer>>();
              const bool converted =
                  attempts && std::ranges::any_of(*attempts, [&](const AttemptAnswer& attempt) {
                    return attempt.verification_sid == checking->order.provider_sid &&
                           attempt.conversion_status == "converted";
                  });
              checking->done({.status = converted ? CheckStatus::kApproved : CheckStatus::kUnknown,
                              .retry_after = answer.retry_after,
                              .provider_code = answer.code,
                              .detail = answer.detail});
            });
}

void TwilioVerify::Cancel(CancelOrder order, Deadline deadline, CancelDone done) {
  const std::string path = PathOf(order.purpose);
  // Nothing was ever sent there.
  if (path.empty() || order.provider_sid.empty()) return done(CancelStatus::kDone);
  api_.Send({.operation = kUpdateVerification,
             .path = path + "/Verifications/" + http::PercentEncode(order.provider_sid),
             .form = {{"Status", "canceled"}},
             .traceparent = order.traceparent},
            deadline,
            [done = std::move(done)](const Answer& answer) { done(CancelStatusOf(answer)); });
}

Health TwilioVerify::SelfCheck(Deadline deadline) {
  constexpr std::string_view kSignup = "twilio.verify_services.signup";
  constexpr std::string_view kLogin = "twilio.verify_services.login";
  const VerifyServices& services = config_.verify_services;
  std::string fault = CredentialFault(config_);
  if (fault.empty()) fault = SidFault(kSignup, services.signup, "VA");
  if (fault.empty()) fault = SidFault(kLogin, services.login, "VA");
  if (fault.empty() && services.signup == services.login) {
    fault = "twilio.verify_services.signup and .login are one service: they would share codes";
  }
  if (!fault.empty()) {
    return {.status = Health::Status::kMisconfigured, .message = std::move(fault)};
  }
  Health signup = CheckService(kSignup, services.signup, deadline);
  if (signup.status != Health::Status::kReady) return signup;
  return CheckService(kLogin, services.login, deadline);
}

Health TwilioVerify::CheckService(std::string_view key, const std::string& sid, Deadline deadline) {
  const auto wrong = [](std::string message) {
    return Health{.status = Health::Status::kMisconfigured, .message = std::move(message)};
  };
  const Answer answer =
      api_.SendAndWait({.operation = kFetchService, .path = "/v2/Services/" + sid}, deadline);
  Health health = HealthOf(answer, config_, {.subject = key, .url = "twilio.verify_url"});
  if (health.status != Health::Status::kReady) return health;
  const auto service = DecodeService(answer.body);
  if (!service || service->sid != sid) {
    return wrong("twilio.verify_url: what answers there is not Verify");
  }
  if (service->account_sid != config_.account_sid) {
    return wrong("twilio.account_sid: the credentials belong to another account");
  }
  if (service->code_length < kShortestCode) {
    return wrong(fmt::format("{}: the service makes codes of {} digits; {} are the least", key,
                             service->code_length, kShortestCode));
  }
  return health;
}

}  // namespace countersign::otp::providers
