#include "services/auth/domain/verification.h"

#include <utility>

#include "libs/core/invariant.h"

namespace countersign::auth {
namespace {

constexpr std::array kRefusalWords = {
    std::pair{Refusal::kNone, std::string_view("")},
    std::pair{Refusal::kWrong, std::string_view("wrong")},
    std::pair{Refusal::kExhausted, std::string_view("exhausted")},
    std::pair{Refusal::kExpired, std::string_view("expired")},
    std::pair{Refusal::kNotFound, std::string_view("not_found")},
    std::pair{Refusal::kUsed, std::string_view("used")},
    std::pair{Refusal::kAlreadyRegistered, std::string_view("already_registered")},
    std::pair{Refusal::kAccountNotVerified, std::string_view("account_not_verified")},
    std::pair{Refusal::kAccountSuspended, std::string_view("account_suspended")},
};

}  // namespace

std::string_view ToString(Purpose purpose) {
  return purpose == Purpose::kSignup ? "signup" : "login";
}

std::optional<Purpose> ParsePurpose(std::string_view word) {
  for (const Purpose purpose : {Purpose::kSignup, Purpose::kLogin})
    if (ToString(purpose) == word) return purpose;
  return std::nullopt;
}

std::string_view RedeemingStep(Purpose purpose) {
  return purpose == Purpose::kSignup ? "verify_phone_number" : "validate_phone_number_login";
}

std::optional<SendDecision::Outcome> ParseSendOutcome(std::string_view word) {
  using Outcome = SendDecision::Outcome;
  constexpr std::array kWords = {std::pair{Outcome::kGranted, std::string_view("granted")},
                                 std::pair{Outcome::kCooling, std::string_view("cooling")},
                                 std::pair{Outcome::kLimited, std::string_view("limited")},
                                 std::pair{Outcome::kClosed, std::string_view("closed")}};
  for (const auto& [outcome, name] : kWords)
    if (name == word) return outcome;
  return std::nullopt;
}

Error ToError(const SendDecision& decision) {
  switch (decision.outcome) {
    case SendDecision::Outcome::kCooling:
      return {.reason = &reasons::kResendTooSoon, .retry_after = decision.wait};
    case SendDecision::Outcome::kLimited:
      return {.reason = &reasons::kSendLimitReached, .retry_after = decision.wait};
    case SendDecision::Outcome::kClosed:
      return {.reason = &reasons::kCodeRejected};
    case SendDecision::Outcome::kGranted:
      break;
  }
  Invariant(false, "a granted send has no refusal");
  return {};
}

std::string_view ToString(Refusal refusal) {
  for (const auto& [value, word] : kRefusalWords)
    if (value == refusal) return word;
  Invariant(false, "a refusal outside its enumeration");
  return {};
}

std::optional<Refusal> ParseRefusal(std::string_view word) {
  for (const auto& [value, name] : kRefusalWords)
    if (name == word) return value;
  return std::nullopt;
}

Refusal RefusalOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kApproved:
      return Refusal::kNone;
    case Verdict::kWrong:
      return Refusal::kWrong;
    case Verdict::kExhausted:
      return Refusal::kExhausted;
    case Verdict::kExpired:
      return Refusal::kExpired;
    case Verdict::kUsed:
      return Refusal::kUsed;
    case Verdict::kNotFound:
      break;
  }
  return Refusal::kNotFound;
}

const Reason& ToldToCaller(Refusal refusal) {
  Invariant(refusal != Refusal::kNone, "a redeemed code has no refusal");
  switch (refusal) {
    case Refusal::kAlreadyRegistered:
      return reasons::kAlreadyRegistered;
    case Refusal::kAccountNotVerified:
      return reasons::kAccountNotVerified;
    case Refusal::kAccountSuspended:
      return reasons::kAccountSuspended;
    default:
      return reasons::kCodeRejected;
  }
}

}  // namespace countersign::auth
