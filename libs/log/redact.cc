#include "libs/log/logger.h"

namespace countersign::log {
namespace {

// Length of the ITU country code that starts `digits` (E.164 assigned codes: zones 1 and 7 have
// one digit, the listed ones two, all others three).
std::size_t CountryCodeLength(std::string_view digits) {
  if (digits.empty()) return 0;
  if (digits[0] == '1' || digits[0] == '7') return 1;
  constexpr std::string_view kTwoDigits =
      "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 "
      "64 "
      "65 66 81 82 84 86 90 91 92 93 94 95 98";
  if (digits.size() < 2) return 1;
  return kTwoDigits.find(digits.substr(0, 2)) != std::string_view::npos ? 2 : 3;
}

}  // namespace

std::string RedactedPhone(std::string_view e164) {
  const std::string_view digits = e164.substr(e164.starts_with('+') ? 1 : 0);
  const std::size_t code = CountryCodeLength(digits);
  // Too short to be a number: nothing of it is shown, since the rest would give it away.
  if (digits.find_first_not_of("0123456789") != std::string_view::npos ||
      digits.size() < code + 5) {
    return "•••";
  }
  return "+" + std::string(digits.substr(0, code)) + "•••" +
         std::string(digits.substr(digits.size() - 2));
}

}  // namespace countersign::log
