#include "services/otp/providers/message_text.h"

#include <algorithm>

#include "libs/core/utf8.h"

namespace countersign::otp::providers {
namespace {

constexpr std::string_view kCode = "{code}";
constexpr std::string_view kMinutes = "{minutes}";
// Twilio refuses more than 1600 characters; the placeholders may grow by less than this.
constexpr std::size_t kLongest = 1500;

void Replace(std::string& text, std::string_view placeholder, std::string_view value) {
  for (auto at = text.find(placeholder); at != std::string::npos;
       at = text.find(placeholder, at + value.size())) {
    text.replace(at, placeholder.size(), value);
  }
}

}  // namespace

std::string MessageText::FaultOf(std::string_view text) {
  const auto code = text.find(kCode);
  if (code == std::string_view::npos) return "{code} is missing";
  if (text.find(kCode, code + 1) != std::string_view::npos) return "{code} is there twice";
  const std::string_view before = text.substr(0, code);
  if (before.find(kMinutes) != std::string_view::npos ||
      before.find_first_of("0123456789") != std::string_view::npos) {
    return "a number comes before {code}";
  }
  std::string rest(text);
  Replace(rest, kCode, "");
  Replace(rest, kMinutes, "");
  if (rest.find_first_of("{}") != std::string::npos) {
    return "only {code} and {minutes} may stand in braces";
  }
  if (text.size() > kLongest) return "longer than 1500 bytes";
  if (!IsUtf8(text)) return "not UTF-8";
  return {};
}

std::string MessageText::Render(const Secret<std::string>& code, std::chrono::seconds life) const {
  const auto minutes = std::max(std::chrono::round<std::chrono::minutes>(life).count(), 1L);
  std::string text = text_;
  Replace(text, kMinutes, std::to_string(minutes));
  Replace(text, kCode, code.Reveal());
  return text;
}

}  // namespace countersign::otp::providers
