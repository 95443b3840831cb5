#pragma once
#include <algorithm>
#include <string_view>

namespace countersign::otp::providers {

// Two letters that name the kind of thing, and 32 hexadecimal digits.
[[nodiscard]] inline bool IsSid(std::string_view text, std::string_view prefix) {
  constexpr std::size_t kLength = 34;
  return text.size() == kLength && text.starts_with(prefix) &&
         std::ranges::all_of(text.substr(prefix.size()), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

}  // namespace countersign::otp::providers
