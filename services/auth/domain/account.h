#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libs/core/clock.h"
#include "services/auth/domain/ids.h"

namespace countersign::auth {

enum class AccountStatus { kPending, kActive, kSuspended, kDeleted };
// The word in rows.
[[nodiscard]] std::optional<AccountStatus> ParseAccountStatus(std::string_view word);

// users.role of those who may look at other people's accounts.
inline constexpr std::string_view kAdminRole = "admin";

// An account as its owner sees it.
struct Profile {
  UserId user_id;
  std::string phone_number;  // E.164
  std::string first_name;
  std::string last_name;
  std::string email;
  std::string country;
  std::string salutation;
  std::string locale;
  std::string role;
  AccountStatus status = AccountStatus::kPending;
  Instant created_at;
  std::int64_t version = 0;
  std::int32_t level = 0;
};

}  // namespace countersign::auth
