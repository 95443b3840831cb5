#include "services/otp/providers/twilio_api.h"

#include <fmt/format.h>

#include <algorithm>

#include "libs/core/traceparent.h"
#include "libs/core/version.h"
#include "libs/http/retry_after.h"
#include "services/otp/providers/twilio_answers.h"
#include "services/otp/providers/twilio_errors.h"

namespace countersign::otp::providers {
namespace {

// The longest block of a number range that is documented; longer is a mistake or an attack.
constexpr std::chrono::hours kLongestRetryAfter{12};

std::string WithoutTrailingSlash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

http::Settings ClientSettings(const TwilioConfig& config) {
  return {.max_in_flight = static_cast<std::size_t>(config.max_in_flight),
          .connect_timeout = config.connect_timeout,
          .user_agent = fmt::format("countersign/{}", Version()),
          .ca_file = config.ca_file,
          .proxy = config.proxy};
}

std::string_view Word(http::Failure failure) {
  switch (failure) {
    case http::Failure::kConnect:
      return "cannot connect";
    case http::Failure::kTls:
      return "TLS failed";
    case http::Failure::kTimeout:
      return "no answer in time";
    case http::Failure::kTooLarge:
      return "the answer is too large";
    case http::Failure::kOverloaded:
      return "too many requests under way";
    case http::Failure::kStopped:
      return "stopped";
    case http::Failure::kNone:
    case http::Failure::kBroken:
      break;
  }
  return "the connection broke";
}

Answer ToAnswer(const Operation& operation, http::Outcome outcome, Instant now) {
  Answer answer{.maybe_sent = outcome.maybe_sent};
  if (!outcome.response) {
    answer.detail =
        fmt::format("{}: {} ({})", operation.name, Word(outcome.failure), outcome.detail);
    return answer;
  }
  http::Response& response = *outcome.response;
  answer.status = response.status;
  answer.retry_after =
      http::ParseRetryAfter(http::FindHeader(response, "Retry-After"), now, kLongestRetryAfter)
          .value_or(std::chrono::milliseconds(0));
  if (!answer.Succeeded()) answer.code = DecodeErrorCode(response.body);
  answer.detail = fmt::format("{}: HTTP {}", operation.name, answer.status);
  if (answer.code != 0) answer.detail += fmt::format(", code {}", answer.code);
  answer.body = std::move(response.body);
  return answer;
}

}  // namespace

TwilioApi::TwilioApi(const TwilioConfig& config, const Clock& clock)
    : verify_url_(WithoutTrailingSlash(config.verify_url)),
      api_url_(WithoutTrailingSlash(config.api_url)),
      credentials_{.user = config.api_key.empty() ? config.account_sid : config.api_key,
                   .password = config.api_secret},
      request_timeout_(config.request_timeout),
      clock_(clock),
      client_(ClientSettings(config)) {}

void TwilioApi::Send(const Ask& ask, Deadline deadline, Done done) {
  client_.Send(ToRequest(ask), Limit(ask, deadline),
               [this, &operation = ask.operation, done = std::move(done)](http::Outcome outcome) {
                 done(ToAnswer(operation, std::move(outcome), clock_.Now()));
               });
}

Answer TwilioApi::SendAndWait(const Ask& ask, Deadline deadline) {
  return ToAnswer(ask.operation, client_.SendAndWait(ToRequest(ask), Limit(ask, deadline)),
                  clock_.Now());
}

Deadline TwilioApi::Limit(const Ask& ask, Deadline deadline) const {
  return std::min(deadline, std::chrono::steady_clock::now() + ask.delay + request_timeout_);
}

http::Request TwilioApi::ToRequest(const Ask& ask) const {
  const Operation& operation = ask.operation;
  const bool post = operation.method == http::Method::kPost;
  std::string form = http::FormEncode(ask.form);
  http::Request request{
      .method = operation.method,
      .url = (operation.host == Operation::Host::kVerify ? verify_url_ : api_url_) + ask.path,
      .headers = {{"Accept", "application/json"}},
      .basic = credentials_,
      .delay = ask.delay};
  if (post) {
    request.headers.push_back({"Content-Type", "application/x-www-form-urlencoded"});
    request.body = Secret(std::move(form));
  } else if (!form.empty()) {
    request.url += '?' + form;
  }
  if (!ask.request_id.empty()) request.headers.push_back({"X-Request-Id", ask.request_id});
  if (ParseTraceparent(ask.traceparent)) {
    request.headers.push_back({"traceparent", ask.traceparent});
  }
  return request;
}

SendOutcome Unsuccessful(const Answer& answer) {
  SendOutcome outcome{
      .retry_after = answer.retry_after, .provider_code = answer.code, .detail = answer.detail};
  if (answer.status == 0) {
    outcome.status = answer.maybe_sent ? SendStatus::kUnknown : SendStatus::kNotSent;
    return outcome;
  }
  const ErrorClass meaning = Classify(answer.status, answer.code);
  outcome.status = meaning.status;
  // A send names nothing that could be gone but the account and the service.
  outcome.refusal =
      meaning.refusal == Refusal::kGone ? Refusal::kProviderMisconfigured : meaning.refusal;
  return outcome;
}

Health HealthOf(const Answer& answer, const TwilioConfig& config, const HealthSubject& keys) {
  using Status = Health::Status;
  if (answer.Succeeded()) return {.status = Status::kReady};
  const auto say = [&](Status status, std::string_view key, std::string_view what) {
    return Health{.status = status,
                  .message = fmt::format("{}: {} ({})", key, what, answer.detail)};
  };
  const ErrorClass meaning = Classify(answer.status, answer.code);
  if (answer.status >= 300 && answer.status < 400) {
    return say(Status::kMisconfigured, keys.url, "redirects, so it is not the API's address");
  }
  if (meaning.status != SendStatus::kRejected) {
    return say(Status::kUnreachable, keys.url, "does not answer as it should");
  }
  if (answer.status == 401) {
    return say(Status::kMisconfigured,
               config.api_key.empty() ? "twilio.account_sid and twilio.api_secret"
                                      : "twilio.api_key and twilio.api_secret",
               "refused");
  }
  if (answer.status == 403) {
    return say(Status::kMisconfigured,
               config.api_key.empty() ? "twilio.account_sid" : "twilio.api_key",
               "lacks the right to read what the start of the process must see");
  }
  if (meaning.refusal == Refusal::kGone) {
    return say(Status::kMisconfigured, keys.subject, "the account has no such thing");
  }
  return say(Status::kMisconfigured, keys.url, "refuses; is it the API's address?");
}

}  // namespace countersign::otp::providers
