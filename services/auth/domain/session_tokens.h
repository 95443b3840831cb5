#pragma once
#include <string>

#include "libs/core/clock.h"
#include "libs/core/secret.h"
#include "services/auth/domain/ids.h"

namespace countersign::auth {

// What a session hands to its holder.
struct SessionTokens {
  Secret<std::string> access_token;
  Instant access_expires_at;
  Secret<std::string> refresh_token;
  Instant refresh_expires_at;
  SessionId session_id;
};

// The answer to a redeemed code.
struct BegunSession {
  UserId user_id;
  SessionTokens tokens;
};

}  // namespace countersign::auth
