#pragma once
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libs/core/hex.h"
#include "libs/core/uuid.h"
#include "libs/pg/connection.h"
#include "services/auth/domain/channel.h"
#include "services/auth/domain/event_kind.h"
#include "services/auth/domain/ids.h"
#include "services/auth/domain/session_terms.h"
#include "services/auth/domain/verification.h"

namespace countersign::auth::store {

// The account that has a verification's number now.
struct Holder {
  UserId user_id;
  Bytes person_key;  // wrapped; empty once the person was erased
  std::string person_key_kek;
};

// A verification as it was when it was read.
struct KnownVerification {
  Uuid challenge_id;
  Purpose purpose;
  std::string phone;  // E.164
  Hash phone_hash;
  Channel channel;
  std::string locale;
  bool used = false;
  bool expired = false;
  Uuid subject_id;
  std::optional<Holder> holder;  // empty: no account has the number
};

// By SHA-256 of the id, in the batch's order; empty where there is none.
[[nodiscard]] std::vector<std::optional<KnownVerification>> ReadVerifications(
    pg::Connection& connection, std::span<const Hash> id_hashes);

// A code with its verdict: to be redeemed, or to be remembered as failed. Ids are drawn beforehand.
struct CompleteVerification {
  Hash id_hash;
  Hash phone_hash;
  std::optional<UserId> user_id{};
  Purpose purpose;
  Refusal refusal = Refusal::kNone;  // kNone: otp approved the code
  SessionId session_id;
  std::string client_id{};
  std::string methods{};  // of access_token.h, JoinMethods
  Uuid verified_event_id{};
  std::string verified_payload{};  // with marks, as the next two
  Uuid login_event_id{};
  std::string login_payload{};
  Uuid failed_event_id{};
  std::string failed_payload{};
  std::string headers{};
};

// A session began exactly if refusal is kNone; the rest is then set.
struct Completion {
  Refusal refusal = Refusal::kNone;
  std::string role{};
  Instant began_at{};
  Instant idle_expires_at{};
  Instant expires_at{};
};

struct CompletionTerms {
  SessionTerms session;
  EventKind verified;
  EventKind logged_in;
  EventKind login_failed;
};

// In one statement, in the batch's order. No two commands may have the same phone_hash.
[[nodiscard]] std::vector<Completion> CompleteVerifications(
    pg::Connection& connection, std::span<const CompleteVerification> batch,
    const CompletionTerms& terms);

// After a connection was lost in the middle of CompleteVerifications: the completion, if the
// session was committed. Empty otherwise, which says nothing.
[[nodiscard]] std::optional<Completion> FindCompletion(pg::Connection& connection,
                                                       const CompleteVerification& command);

}  // namespace countersign::auth::store
