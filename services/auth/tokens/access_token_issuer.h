#pragma once
// Making access tokens. An interface because an installation may have tokens made by another
// service; hence the callback form: nobody waits on a thread for an answer.
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/core/random.h"
#include "libs/core/result.h"
#include "libs/core/secret.h"
#include "services/auth/domain/access_token.h"
#include "services/auth/tokens/signing_keys.h"

namespace countersign::auth {

// RFC 9068 section 2.1.
inline constexpr std::string_view kAccessTokenType = "at+jwt";

struct IssuedAccessToken {
  Secret<std::string> token;
  Instant expires_at;
};

class AccessTokenIssuer {
 public:
  using Done = std::function<void(Result<IssuedAccessToken>)>;
  virtual ~AccessTokenIssuer() = default;
  // Calls `done` exactly once, on this thread or another.
  virtual void Issue(const AccessGrant& grant, Done done) = 0;
};

struct AccessTokenPolicy {
  std::string issuer;                  // claim iss
  std::vector<std::string> audiences;  // claim aud
  std::chrono::seconds lifetime{std::chrono::minutes(15)};
};

// Signs ES256 itself (about 30 µs) with the current signing key.
// Calls `done` before Issue returns. Thread safe.
class LocalIssuer final : public AccessTokenIssuer {
 public:
  LocalIssuer(AccessTokenPolicy policy, SigningKeys& keys, Random& random);
  void Issue(const AccessGrant& grant, Done done) override;

 private:
  const AccessTokenPolicy policy_;
  SigningKeys& keys_;
  Random& random_;
};

}  // namespace countersign::auth
