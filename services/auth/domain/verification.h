#pragma once
// A verification: the time between asking for a code and redeeming it.
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libs/core/clock.h"
#include "libs/core/result.h"
#include "libs/core/secret.h"

namespace countersign::auth {

// SHA-256 of a verification id, or the keyed hash of a phone number.
using Hash = std::array<std::uint8_t, 32>;

enum class Purpose { kSignup, kLogin };
// "signup", "login": the word in rows and events.
[[nodiscard]] std::string_view ToString(Purpose purpose);
[[nodiscard]] std::optional<Purpose> ParsePurpose(std::string_view word);
// The step that redeems a code of this purpose, as events name it.
[[nodiscard]] std::string_view RedeemingStep(Purpose purpose);

// What the client needs to go on.
struct StartedVerification {
  Secret<std::string> verification_id;  // a capability: 128 random bits, nowhere stored
  Instant expires_at;
  Instant resend_after;
};

// What the number's send limit said.
struct SendDecision {
  enum class Outcome {
    kGranted,  // a code is on its way
    kCooling,  // too soon after the last one
    kLimited,  // all codes of this hour or day were sent
    kClosed,   // a resend for a verification that is not open
  };
  Outcome outcome = Outcome::kClosed;
  Instant expires_at{};
  Instant resend_after{};             // cooldown, hour and day counted
  std::chrono::milliseconds wait{0};  // until the earliest useful retry, if refused by the limit
};
// The words of store/sql/send_code.sql.
[[nodiscard]] std::optional<SendDecision::Outcome> ParseSendOutcome(std::string_view word);

// The refusal of a decision that did not grant. Never carries a verification id.
[[nodiscard]] Error ToError(const SendDecision& decision);

// What otp said about a code.
enum class Verdict { kApproved, kWrong, kExhausted, kExpired, kNotFound, kUsed };

// Why a code was not redeemed: more exact than the caller is told. The first five are what the
// verdict says, the last three the account's state, known only to who had the right code.
enum class Refusal {
  kNone,
  kWrong,
  kExhausted,
  kExpired,
  kNotFound,
  kUsed,
  kAlreadyRegistered,
  kAccountNotVerified,
  kAccountSuspended,
};
// The word in events and in store/sql/complete_verification.sql; empty for kNone.
[[nodiscard]] std::string_view ToString(Refusal refusal);
[[nodiscard]] std::optional<Refusal> ParseRefusal(std::string_view word);
[[nodiscard]] Refusal RefusalOf(Verdict verdict);
// CODE_REJECTED for everything a guesser could cause. Not for kNone.
[[nodiscard]] const Reason& ToldToCaller(Refusal refusal);

}  // namespace countersign::auth
