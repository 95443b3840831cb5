#pragma once
// What may be done with a session, decided from its row as it is now.
#include <optional>
#include <string>
#include <string_view>

#include "libs/core/clock.h"
#include "libs/core/reasons.h"
#include "services/auth/domain/account.h"
#include "services/auth/domain/ids.h"

namespace countersign::auth {

// A session and its account as they were at read_at, database time.
struct SessionState {
  UserId user_id;
  AccountStatus status = AccountStatus::kPending;
  std::string role;
  bool ended = true;  // revoked, logged out or over
  Instant read_at;
};

// Why the bearer of a token for `user_id` may not act in this session; null: may. SESSION_ENDED
// also for a session of somebody else and for accounts that are neither active nor suspended.
[[nodiscard]] const Reason* RefusalOf(const SessionState& session, const UserId& user_id);

// What became of a refresh token.
enum class RefreshVerdict {
  kRotated,    // it was the newest: it has a child now
  kRepeated,   // it was replaced a moment ago: the same child again
  kReused,     // it was replaced before: the session ends
  kEnded,      // its session had ended, or there is none
  kExpired,    // its session's idle or absolute time is over
  kSuspended,  // its account may not sign in
};
// The words of store/sql/refresh_session.sql.
[[nodiscard]] std::optional<RefreshVerdict> ParseRefreshVerdict(std::string_view word);
// Null for kRotated and kRepeated.
[[nodiscard]] const Reason* RefusalOf(RefreshVerdict verdict);

// What became of a logout.
enum class EndVerdict { kEnded, kEndedBefore, kTokenExpired };
// The words of store/sql/end_session.sql.
[[nodiscard]] std::optional<EndVerdict> ParseEndVerdict(std::string_view word);

}  // namespace countersign::auth
