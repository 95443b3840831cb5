#include "tests/fakes/twilio/errors.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

namespace countersign::twilio_fake {
namespace {

struct KnownError {
  int code;
  int status;
  std::string_view message;
};

constexpr std::array kKnown = {
    KnownError{20003, 401, "Authenticate"},
    KnownError{20004, 405, "Method not allowed"},
    KnownError{20403, 403, "Forbidden"},
    KnownError{20404, 404, "The requested resource was not found"},
    KnownError{20429, 429, "Too many requests"},
    KnownError{20500, 500, "An internal server error has occurred"},
    KnownError{20503, 503, "Service unavailable"},
    KnownError{21211, 400, "Invalid 'To' Phone Number"},
    KnownError{21212, 400, "Invalid 'From' Phone Number"},
    KnownError{21408, 403, "Permission to send an SMS has not been enabled for the region"},
    KnownError{21602, 400, "Message body is required."},
    KnownError{21603, 400, "A 'From' phone number is required."},
    KnownError{21606, 400, "The 'From' phone number is not a valid, SMS-capable sender"},
    KnownError{21610, 400, "Attempt to send to unsubscribed recipient"},
    KnownError{21611, 429, "This 'From' number has exceeded the maximum number of queued messages"},
    KnownError{21612, 400, "The 'To' phone number is not currently reachable"},
    KnownError{21614, 400, "'To' number is not a valid mobile number"},
    KnownError{21617, 400, "The concatenated message body exceeds the 1600 character limit"},
    KnownError{60200, 400, "Invalid parameter"},
    KnownError{60202, 429, "Max check attempts reached"},
    KnownError{60203, 429, "Max send attempts reached"},
    KnownError{60204, 403, "Service does not support this feature"},
    KnownError{60205, 403, "SMS is not supported by landline phone number"},
    KnownError{60212, 429, "Too many concurrent requests for phone number"},
    KnownError{60410, 403, "Verification delivery attempt blocked"},
    KnownError{60605, 403, "Verification delivery attempt blocked: destination not allowed"},
};

}  // namespace

Reply ErrorReply(int http_status, int code, const std::string& message) {
  const nlohmann::json body = {
      {"code", code},
      {"message", message},
      {"more_info", "https://www.twilio.com/docs/errors/" + std::to_string(code)},
      {"status", http_status}};
  return {.status = http_status, .body = body.dump()};
}

Reply ErrorReply(int code) {
  const auto* const known =
      std::ranges::find_if(kKnown, [&](const KnownError& error) { return error.code == code; });
  if (known == kKnown.end()) return ErrorReply(400, code, "Error " + std::to_string(code));
  return ErrorReply(known->status, code, std::string(known->message));
}

Reply NotFound(const std::string& path) {
  return ErrorReply(404, 20404, "The requested resource " + path + " was not found");
}

Reply BadParameter(const std::string& name) {
  return ErrorReply(400, 60200, "Invalid parameter: " + name);
}

}  // namespace countersign::twilio_fake
