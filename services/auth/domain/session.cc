#include "services/auth/domain/session.h"

namespace countersign::auth {

const Reason* RefusalOf(const SessionState& session, const UserId& user_id) {
  if (session.ended || session.user_id != user_id) return &reasons::kSessionEnded;
  if (session.status == AccountStatus::kSuspended) return &reasons::kAccountSuspended;
  if (session.status != AccountStatus::kActive) return &reasons::kSessionEnded;
  return nullptr;
}

std::optional<RefreshVerdict> ParseRefreshVerdict(std::string_view word) {
  if (word == "rotated") return RefreshVerdict::kRotated;
  if (word == "repeated") return RefreshVerdict::kRepeated;
  if (word == "reused") return RefreshVerdict::kReused;
  if (word == "ended") return RefreshVerdict::kEnded;
  if (word == "expired") return RefreshVerdict::kExpired;
  if (word == "suspended") return RefreshVerdict::kSuspended;
  return std::nullopt;
}

const Reason* RefusalOf(RefreshVerdict verdict) {
  switch (verdict) {
    case RefreshVerdict::kRotated:
    case RefreshVerdict::kRepeated:
      return nullptr;
    case RefreshVerdict::kReused:
      return &reasons::kRefreshTokenReused;
    case RefreshVerdict::kEnded:
      return &reasons::kSessionEnded;
    case RefreshVerdict::kExpired:
      return &reasons::kTokenExpired;
    case RefreshVerdict::kSuspended:
      return &reasons::kAccountSuspended;
  }
  return &reasons::kInternal;
}

std::optional<EndVerdict> ParseEndVerdict(std::string_view word) {
  if (word == "ended") return EndVerdict::kEnded;
  if (word == "ended_before") return EndVerdict::kEndedBefore;
  if (word == "token_expired") return EndVerdict::kTokenExpired;
  return std::nullopt;
}

}  // namespace countersign::auth
