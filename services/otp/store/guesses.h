#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libs/core/hex.h"
#include "libs/core/uuid.h"
#include "libs/pg/connection.h"
#include "services/otp/domain/challenge.h"
#include "services/otp/domain/event_kind.h"

namespace countersign::otp::store {

struct CountGuess {
  ChallengeId challenge_id;
  Purpose purpose;
  Bytes context_digest;  // empty for none
  Hash claim_id;
  Uuid log_event_id;    // of otp.attempts_exceeded
  std::string payload;  // with marks
  std::string headers;
};

struct GuessTerms {
  int failures_per_day = 15;
  EventKind attempts_exceeded;
};

// All but standing and attempts_left is set for Standing::kCompare only.
struct CountedGuess {
  Standing standing = Standing::kNotFound;
  int attempts_left = 0;
  SubjectId subject_id{};
  int generation = 0;
  std::optional<Hash> code_hmac{};  // empty: the provider knows the code, by provider_sid
  std::string code_key_id{};
  std::string provider_sid{};
  // It was counted before, its answer was never recorded, and no other claim is in that state.
  bool only_open_claim = false;
};

// In one statement, in the batch's order. No two commands may have the same challenge_id. A claim
// is counted once however often this runs, so it is also its own look-up after a lost connection.
[[nodiscard]] std::vector<CountedGuess> CountGuesses(pg::Connection& connection,
                                                     std::span<const CountGuess> batch,
                                                     const GuessTerms& terms);

struct RecordVerdict {
  enum class Found {
    kRight,
    kWrong,
    kGone,  // the provider has no such verification any more
  };
  ChallengeId challenge_id;
  Hash claim_id;
  int generation = 0;
  Found found = Found::kWrong;
  Uuid log_event_id;    // of otp.approved or otp.attempts_exceeded
  std::string payload;  // with marks, the same for both
  std::string headers;
};

struct VerdictTerms {
  EventKind approved;
  EventKind attempts_exceeded;
};

// In one statement, in the batch's order. No two commands may have the same challenge_id. Safe to
// run again.
[[nodiscard]] std::vector<Judgement> RecordVerdicts(pg::Connection& connection,
                                                    std::span<const RecordVerdict> batch,
                                                    const VerdictTerms& terms);

}  // namespace countersign::otp::store
