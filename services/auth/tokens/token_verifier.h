#pragma once
// Is this an access token of ours, good at this instant? Whether its session still lives is asked
// of the database (flows/introspect_token).
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "libs/core/clock.h"
#include "libs/core/result.h"
#include "libs/crypto/digest.h"
#include "services/auth/domain/access_token.h"
#include "services/auth/tokens/signing_keys.h"
#include "services/auth/tokens/verified_tokens.h"

namespace countersign::auth {

struct AcceptedTokens {
  std::string issuer;                  // `iss` must be exactly this
  std::vector<std::string> audiences;  // `aud` must name one of these
  std::chrono::seconds leeway{0};      // for exp, nbf and iat; at most 60 s
  std::size_t cache_entries = 65536;   // verified signatures kept; 0: none
};

// Thread safe; the keys must outlive it.
class TokenVerifier {
 public:
  TokenVerifier(AcceptedTokens accepted, SigningKeys& keys);

  // Whether it is an access token of ours at all; TOKEN_INVALID: malformed, another typ, issuer,
  // audience or key, a claim missing or of a wrong type. The key is looked up at every call; only
  // the signature and the parsed claims are remembered. Says nothing of the token's times: those
  // who go on to the database ask RefusalByTime with its time.
  [[nodiscard]] Result<VerifiedTokens::Handle> Authenticate(std::string_view token);

  // TOKEN_EXPIRED on or after `exp` plus leeway, TOKEN_INVALID before `nbf`; null: in its time.
  [[nodiscard]] const Reason* RefusalByTime(const VerifiedTokens::Entry& token, Instant now) const;

  // Both.
  [[nodiscard]] Result<AccessTokenClaims> Verify(std::string_view token, Instant now);

 private:
  [[nodiscard]] Result<VerifiedTokens::Handle> VerifySignature(std::string_view token);

  const AcceptedTokens accepted_;
  const crypto::Digest scope_;  // of issuer and audiences
  SigningKeys& keys_;
  VerifiedTokens verified_;
};

}  // namespace countersign::auth
