#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libs/core/uuid.h"
#include "libs/pg/connection.h"
#include "services/auth/domain/account.h"
#include "services/auth/domain/event_kind.h"
#include "services/auth/domain/ids.h"
#include "services/auth/domain/session.h"
#include "services/auth/domain/session_terms.h"

namespace countersign::auth::store {

// A genuine refresh token. The event is session.refreshed or session.revoked.
struct RefreshSession {
  SessionId session_id;
  std::int64_t counter = 0;
  Uuid event_id;
  std::string refreshed_payload;  // with marks
  std::string revoked_payload;    // with marks
  std::string headers;
};

// After kRotated and kRepeated all is set; otherwise only the verdict counts.
struct RefreshedSession {
  RefreshVerdict verdict = RefreshVerdict::kEnded;
  UserId user_id{};
  std::string role{};
  std::string client_id{};
  std::string methods{};     // of access_token.h, JoinMethods
  std::int64_t counter = 0;  // position of the newest token
  Instant decided_at{};
  Instant idle_expires_at{};
  Instant expires_at{};
};

struct RefreshTerms {
  SessionTerms session;
  EventKind refreshed;
  EventKind revoked;
};

// In one statement, in the batch's order. No two commands may have the same session_id. Run again
// within the grace it answers alike, so it is also its own look-up after a lost connection.
[[nodiscard]] std::vector<RefreshedSession> RefreshSessions(pg::Connection& connection,
                                                            std::span<const RefreshSession> batch,
                                                            const RefreshTerms& terms);

// A logout by a genuine token.
struct EndSession {
  SessionId session_id;
  std::optional<Instant> token_expires_at;  // of an access token
  Uuid event_id;                            // of session.logged_out
  std::string payload;                      // with marks
  std::string headers;
};

// In one statement, in the batch's order. No two commands may have the same session_id. Safe to run
// again.
[[nodiscard]] std::vector<EndVerdict> EndSessions(pg::Connection& connection,
                                                  std::span<const EndSession> batch,
                                                  const EventKind& logged_out);

// In the batch's order; empty where there is no such session.
[[nodiscard]] std::vector<std::optional<SessionState>> ReadSessions(
    pg::Connection& connection, std::span<const SessionId> session_ids);

// Of whom the bearer of a session wants to know; empty: of themselves.
struct WantedProfile {
  SessionId session_id;
  std::optional<UserId> user_id;
};
struct FoundProfile {
  SessionState caller;
  std::optional<Profile> profile;  // empty: no account has the id
};

// In the batch's order; empty where there is no such session.
[[nodiscard]] std::vector<std::optional<FoundProfile>> ReadProfiles(
    pg::Connection& connection, std::span<const WantedProfile> batch);

}  // namespace countersign::auth::store
