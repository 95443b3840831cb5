#pragma once
// The text of a message that carries a code of ours.
#include <chrono>
#include <string>
#include <string_view>

#include "libs/core/secret.h"

namespace countersign::otp::providers {

// Made from a template with {code} once and, behind it, {minutes}. Phones offer the first number of
// a message for the code, so no digit may stand before it.
class MessageText {
 public:
  // What is wrong with a template, or nothing.
  [[nodiscard]] static std::string FaultOf(std::string_view text);

  // `text` has no fault.
  explicit MessageText(std::string text) : text_(std::move(text)) {}

  // Minutes are rounded, and at least one.
  [[nodiscard]] std::string Render(const Secret<std::string>& code,
                                   std::chrono::seconds life) const;

 private:
  std::string text_;
};

}  // namespace countersign::otp::providers
