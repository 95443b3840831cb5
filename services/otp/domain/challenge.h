#pragma once
// A challenge: a code may be given in answer to it once, within its time and its guesses.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libs/core/hex.h"
#include "libs/core/random.h"
#include "libs/core/secret.h"
#include "libs/core/uuid.h"

namespace countersign::otp {

using ChallengeId = Id<struct ChallengeTag>;
// Pseudonym of a number: the same for all its challenges.
using SubjectId = Id<struct SubjectTag>;
// HMAC of a code, or the caller's name for a guess.
using Hash = std::array<std::uint8_t, 32>;

enum class Purpose { kSignup, kLogin };
// "signup", "login": the word in rows and events.
[[nodiscard]] std::string_view ToString(Purpose purpose);
[[nodiscard]] std::optional<Purpose> ParsePurpose(std::string_view word);

// What a caller is told of a guess.
enum class Verdict { kApproved, kWrong, kExhausted, kExpired, kNotFound, kUsed };
[[nodiscard]] std::string_view ToString(Verdict verdict);

struct Judgement {
  Verdict verdict = Verdict::kNotFound;
  int attempts_left = 0;
  bool operator==(const Judgement&) const = default;
};

// Where a guess stands after it was counted, or not (store/sql/count_guess.sql has the words).
enum class Standing {
  kCompare,    // counted, or a repeat of one that was: it may be compared
  kApproved,   // a repeat of the approved claim
  kWrong,      // a repeat of a claim that was answered so
  kExhausted,  // no guesses left on the challenge, or for the number today
  kExpired,
  kNotFound,
  kUsed,  // another claim was approved
};
[[nodiscard]] std::optional<Standing> ParseStanding(std::string_view word);
// The verdict, unless there is something to compare first.
[[nodiscard]] std::optional<Verdict> VerdictOf(Standing standing);

// What a code is good for, and nothing else: everything here goes into its HMAC.
struct CodeBinding {
  Purpose purpose;
  SubjectId subject_id;
  ChallengeId challenge_id;
  int generation = 0;  // the send it came with; a resend makes another
};

inline constexpr int kShortestCode = 6;
inline constexpr int kLongestCode = 10;

// Decimal digits, each uniform, leading zeros included.
[[nodiscard]] Secret<std::string> DrawCode(Random& random, int length);

// What a guess may look like: 4 to 10 ASCII digits or letters.
[[nodiscard]] bool IsGuess(std::string_view text);

}  // namespace countersign::otp
