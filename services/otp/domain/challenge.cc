#include "services/otp/domain/challenge.h"

#include <algorithm>

#include "libs/core/invariant.h"

namespace countersign::otp {
namespace {

constexpr std::size_t kShortestGuess = 4;
constexpr int kDigitsPerDraw = 9;

}  // namespace

std::string_view ToString(Purpose purpose) {
  switch (purpose) {
    case Purpose::kSignup:
      return "signup";
    case Purpose::kLogin:
      return "login";
  }
  Invariant(false, "a purpose outside its enumeration");
  return {};
}

std::optional<Purpose> ParsePurpose(std::string_view word) {
  for (const Purpose purpose : {Purpose::kSignup, Purpose::kLogin})
    if (ToString(purpose) == word) return purpose;
  return std::nullopt;
}

std::string_view ToString(Verdict verdict) {
  switch (verdict) {
    case Verdict::kApproved:
      return "approved";
    case Verdict::kWrong:
      return "wrong";
    case Verdict::kExhausted:
      return "exhausted";
    case Verdict::kExpired:
      return "expired";
    case Verdict::kNotFound:
      return "not_found";
    case Verdict::kUsed:
      return "used";
  }
  Invariant(false, "a verdict outside its enumeration");
  return {};
}

std::optional<Standing> ParseStanding(std::string_view word) {
  if (word == "compare") return Standing::kCompare;
  if (word == "approved") return Standing::kApproved;
  if (word == "wrong") return Standing::kWrong;
  if (word == "exhausted") return Standing::kExhausted;
  if (word == "expired") return Standing::kExpired;
  if (word == "not_found") return Standing::kNotFound;
  if (word == "used") return Standing::kUsed;
  return std::nullopt;
}

std::optional<Verdict> VerdictOf(Standing standing) {
  switch (standing) {
    case Standing::kCompare:
      return std::nullopt;
    case Standing::kApproved:
      return Verdict::kApproved;
    case Standing::kWrong:
      return Verdict::kWrong;
    case Standing::kExhausted:
      return Verdict::kExhausted;
    case Standing::kExpired:
      return Verdict::kExpired;
    case Standing::kUsed:
      return Verdict::kUsed;
    case Standing::kNotFound:
      break;
  }
  return Verdict::kNotFound;
}

Secret<std::string> DrawCode(Random& random, int length) {
  Invariant(length >= kShortestCode && length <= kLongestCode, "a code has 6 to 10 digits");
  // At most nine digits of one draw: ten do not fit into its 32 bits.
  std::string code;
  for (int left = length; left > 0; left -= kDigitsPerDraw) {
    const int digits = std::min(left, kDigitsPerDraw);
    std::uint32_t bound = 1;
    for (int i = 0; i < digits; ++i) bound *= 10;
    std::string drawn = std::to_string(random.Below(bound));
    code.append(static_cast<std::size_t>(digits) - drawn.size(), '0');
    code += drawn;
  }
  return Secret<std::string>(std::move(code));
}

bool IsGuess(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return text.size() >= kShortestGuess && text.size() <= std::size_t{kLongestCode} &&
         std::ranges::all_of(text, fits);
}

}  // namespace countersign::otp
