#pragma once
#include <string>

#include "tests/fakes/twilio/exchange.h"

namespace countersign::twilio_fake {

// {"code","message","more_info","status"} as Twilio answers a refusal.
[[nodiscard]] Reply ErrorReply(int http_status, int code, const std::string& message);
// The same with the HTTP status and text that Twilio documents for the code; 400 if unknown.
[[nodiscard]] Reply ErrorReply(int code);
[[nodiscard]] Reply NotFound(const std::string& path);
[[nodiscard]] Reply BadParameter(const std::string& name);

}  // namespace countersign::twilio_fake
