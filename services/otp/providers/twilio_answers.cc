#include "services/otp/providers/twilio_answers.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "services/otp/providers/twilio_sid.h"

namespace countersign::otp::providers {
namespace {

using nlohmann::json;

// Not an object, so without any member, if it is no JSON.
json Parse(std::string_view body) { return json::parse(body, nullptr, false); }

const json* Member(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::optional<std::string> Text(const json& object, const char* name) {
  const json* member = Member(object, name);
  if (member == nullptr || !member->is_string()) return std::nullopt;
  return member->get<std::string>();
}

std::optional<std::string> Sid(const json& object, const char* name, std::string_view prefix) {
  auto text = Text(object, name);
  if (!text || !IsSid(*text, prefix)) return std::nullopt;
  return text;
}

std::optional<int> Number(const json& object, const char* name) {
  const json* member = Member(object, name);
  if (member == nullptr || !member->is_number_integer()) return std::nullopt;
  const auto value = member->get<std::int64_t>();
  if (value < 0 || value > std::numeric_limits<int>::max()) return std::nullopt;
  return static_cast<int>(value);
}

}  // namespace

int DecodeErrorCode(std::string_view body) { return Number(Parse(body), "code").value_or(0); }

std::optional<VerificationAnswer> DecodeVerification(std::string_view body) {
  const json object = Parse(body);
  const auto sid = Sid(object, "sid", "VE");
  const auto status = Text(object, "status");
  if (!sid || !status) return std::nullopt;
  const json* const sends = Member(object, "send_code_attempts");
  return VerificationAnswer{.sid = *sid,
                            .status = *status,
                            .sends = sends != nullptr && sends->is_array() ? sends->size() : 0};
}

std::optional<CheckAnswer> DecodeCheck(std::string_view body) {
  const json object = Parse(body);
  const auto sid = Sid(object, "sid", "VE");
  const auto status = Text(object, "status");
  if (!sid || !status) return std::nullopt;
  return CheckAnswer{.sid = *sid, .status = *status};
}

std::optional<ServiceAnswer> DecodeService(std::string_view body) {
  const json object = Parse(body);
  const auto sid = Sid(object, "sid", "VA");
  const auto account_sid = Sid(object, "account_sid", "AC");
  const auto code_length = Number(object, "code_length");
  if (!sid || !account_sid || !code_length) return std::nullopt;
  return ServiceAnswer{.sid = *sid, .account_sid = *account_sid, .code_length = *code_length};
}

std::optional<std::vector<AttemptAnswer>> DecodeAttempts(std::string_view body) {
  const json object = Parse(body);
  const json* const list = Member(object, "attempts");
  if (list == nullptr || !list->is_array()) return std::nullopt;
  std::vector<AttemptAnswer> attempts;
  for (const json& attempt : *list) {
    const auto verification_sid = Sid(attempt, "verification_sid", "VE");
    const auto conversion_status = Text(attempt, "conversion_status");
    if (!verification_sid || !conversion_status) return std::nullopt;
    attempts.push_back(
        {.verification_sid = *verification_sid, .conversion_status = *conversion_status});
  }
  return attempts;
}

std::optional<MessageAnswer> DecodeMessage(std::string_view body) {
  const json object = Parse(body);
  auto sid = Sid(object, "sid", "SM");
  if (!sid) sid = Sid(object, "sid", "MM");
  const auto status = Text(object, "status");
  if (!sid || !status) return std::nullopt;
  return MessageAnswer{
      .sid = *sid, .status = *status, .error_code = Number(object, "error_code").value_or(0)};
}

std::optional<std::size_t> DecodeMessageCount(std::string_view body) {
  const json object = Parse(body);
  const json* const list = Member(object, "messages");
  if (list == nullptr || !list->is_array()) return std::nullopt;
  return list->size();
}

}  // namespace countersign::otp::providers
