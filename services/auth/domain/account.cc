#include "services/auth/domain/account.h"

namespace countersign::auth {

std::optional<AccountStatus> ParseAccountStatus(std::string_view word) {
  if (word == "pending") return AccountStatus::kPending;
  if (word == "active") return AccountStatus::kActive;
  if (word == "suspended") return AccountStatus::kSuspended;
  if (word == "deleted") return AccountStatus::kDeleted;
  return std::nullopt;
}

}  // namespace countersign::auth
