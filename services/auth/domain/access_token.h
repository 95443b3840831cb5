#pragma once
// What an access token says (RFC 9068). No personal data: `sub` is opaque.
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "libs/core/clock.h"
#include "services/auth/domain/ids.h"

namespace countersign::auth {

// What a flow knows about the session it hands a token for.
struct AccessGrant {
  UserId user_id;
  SessionId session_id;
  std::string client_id;
  std::vector<std::string> methods;  // RFC 8176, for example {"otp", "sms"}
  std::string role;
  Instant issued_at;  // database time of the statement that began or renewed the session
  // The token never outlives its session.
  Instant session_expires_at;
};

// What a verified token says.
struct AccessTokenClaims {
  std::string issuer;
  std::vector<std::string> audiences;
  UserId user_id;
  SessionId session_id;
  std::string client_id;
  std::vector<std::string> methods;
  std::string role;
  std::string token_id;
  Instant issued_at;   // whole seconds
  Instant expires_at;  // whole seconds
  bool operator==(const AccessTokenClaims&) const = default;
};

// sessions.amr holds the methods as one text, separated by single spaces.
[[nodiscard]] std::string JoinMethods(const std::vector<std::string>& methods);
[[nodiscard]] std::vector<std::string> SplitMethods(std::string_view methods);

}  // namespace countersign::auth
