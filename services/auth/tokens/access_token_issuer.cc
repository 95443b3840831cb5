#include "services/auth/tokens/access_token_issuer.h"

#include <algorithm>
#include <utility>

#include "libs/crypto/base64.h"
#include "libs/jose/claims.h"
#include "libs/jose/jws.h"

namespace countersign::auth {
namespace {

constexpr std::size_t kTokenIdBytes = 16;

std::int64_t NumericDate(Instant instant) {
  return std::chrono::floor<std::chrono::seconds>(instant).time_since_epoch().count();
}

}  // namespace

LocalIssuer::LocalIssuer(AccessTokenPolicy policy, SigningKeys& keys, Random& random)
    : policy_(std::move(policy)), keys_(keys), random_(random) {}

void LocalIssuer::Issue(const AccessGrant& grant, Done done) {
  const Instant end = std::min(grant.issued_at + policy_.lifetime, grant.session_expires_at);
  const Instant expires_at = std::chrono::floor<std::chrono::seconds>(end);
  const jose::Claims claims = {
      {"amr", grant.methods},
      {"aud", policy_.audiences},
      {"client_id", grant.client_id},
      {"exp", NumericDate(expires_at)},
      {"iat", NumericDate(grant.issued_at)},
      {"iss", policy_.issuer},
      {"jti", crypto::Base64UrlEncode(random_.Bytes(kTokenIdBytes))},
      {"role", grant.role},
      {"sid", ToString(grant.session_id)},
      {"sub", ToString(grant.user_id)},
  };
  const SigningKeys::Handle key = keys_.Current();
  const std::string payload = jose::RenderClaims(claims);
  done(IssuedAccessToken{Secret<std::string>(jose::SignJws(
                             key->handle->material,
                             {.kid = key->key_id, .typ = kAccessTokenType, .payload = payload})),
                         expires_at});
}

}  // namespace countersign::auth
