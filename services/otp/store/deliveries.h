#pragma once
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libs/core/clock.h"
#include "libs/core/hex.h"
#include "libs/core/uuid.h"
#include "libs/pg/connection.h"
#include "services/otp/domain/challenge.h"
#include "services/otp/domain/delivery.h"
#include "services/otp/domain/event_kind.h"

namespace countersign::otp::store {

// A SendOtp event that was taken up.
struct TakeIntent {
  Uuid event_id;
  ChallengeId challenge_id;
  SubjectId subject_id;
  Purpose purpose;
  int send_number = 0;
  std::string channel;
  Instant expires_at;
  bool readable = true;  // false: the recipient could not be opened
  bool deliver = true;   // false: a decoy
  Hash decoy_hmac{};     // random; what a decoy has instead of a code's
  std::string decoy_key_id;
  Uuid log_event_id;    // of otp.expired
  std::string payload;  // with marks
  std::string headers;
};

struct IntentTerms {
  std::string provider;
  int max_attempts = 5;
  EventKind expired;
};

struct TakenIntent {
  // Empty: it is in time and cannot be read, or names a challenge of another number.
  std::optional<DeliveryState> state;
  bool repeated = false;   // the event was seen before
  bool undecided = false;  // the same event is being taken elsewhere: take it again
};

// In one statement, in the batch's order. No two commands may have the same subject_id. Safe to run
// again.
[[nodiscard]] std::vector<TakenIntent> TakeIntents(pg::Connection& connection,
                                                   std::span<const TakeIntent> batch,
                                                   const IntentTerms& terms);

// A provider call that is about to be made.
struct BeginSend {
  Uuid event_id;
  Uuid attempt_id{};
  std::optional<Hash> code_hmac{};  // empty: the provider makes the code
  std::string code_key_id;
  Uuid log_event_id;    // of otp.expired
  std::string payload;  // with marks
  std::string headers;
};

struct SendTerms {
  std::string provider;
  bool provider_makes_code = false;
  std::chrono::milliseconds lease{0};
  EventKind expired;
};

struct BegunSend {
  // kSending: begun, if it says so; else a call for this number is under way elsewhere. kReceived
  // never; every other state is the end of it.
  DeliveryState state = DeliveryState::kUnknown;
  bool begun = false;
  int attempt_number = 0;
  std::chrono::seconds life{0};
  // Of the provider that makes codes: what may still be open there for this number and purpose.
  std::string previous_sid{};
  bool previous_unknown = false;
};

// In one statement, in the batch's order. No two commands may belong to one number. Throws
// pg::UniqueViolation if another replica began a call to one of the numbers at the same moment.
// Safe to run again.
[[nodiscard]] std::vector<BegunSend> BeginSends(pg::Connection& connection,
                                                std::span<const BeginSend> batch,
                                                const SendTerms& terms);

// What came of a provider call.
struct FinishSend {
  Uuid event_id;
  Uuid attempt_id;
  DeliveryState state = DeliveryState::kUnknown;  // kReceived: it provably never happened
  std::string provider_sid;
  int provider_code = 0;
  std::string reason_class;
  Uuid log_event_id;
  EventKind event;      // ignored for kReceived
  std::string payload;  // with marks
  std::string headers;
};

// In one statement, in the batch's order: the state each intent now has. No two commands may belong
// to one number. Safe to run again.
[[nodiscard]] std::vector<DeliveryState> FinishSends(pg::Connection& connection,
                                                     std::span<const FinishSend> batch);

struct OverdueSend {
  Uuid event_id;
  std::optional<Uuid> attempt_id;  // empty: it was never begun and its time is over
  ChallengeId challenge_id;
  SubjectId subject_id;
  std::string provider;
  std::string channel;
};

// At most `limit` of them. One that was never begun counts only after its time and `grace`.
[[nodiscard]] std::vector<OverdueSend> FindOverdueSends(pg::Connection& connection,
                                                        std::chrono::seconds grace, int limit);

}  // namespace countersign::otp::store
