#pragma once
// Public EC keys as JSON Web Keys (RFC 7517, RFC 7518 section 6.2).
#include <optional>
#include <string>
#include <string_view>

#include "libs/crypto/ec_key.h"

namespace countersign::jose {

struct Jwk {
  std::string kty;
  std::string crv;
  std::string x;
  std::string y;
  std::string kid;
  std::string alg;
  std::string use;
};

// RFC 7638 with SHA-256: base64url, 43 characters. The key id of our signing keys.
[[nodiscard]] std::string Thumbprint(const crypto::EcPublicKey& key);

// kid is the thumbprint, alg ES256, use sig.
[[nodiscard]] Jwk ToJwk(const crypto::EcPublicKey& key);

// Empty unless it is an EC key on P-256 with a point on the curve, both coordinates 32 bytes of
// canonical base64url, and `alg` and `use` absent or ES256 and sig.
[[nodiscard]] std::optional<crypto::EcPublicKey> FromJwk(const Jwk& jwk);

// One JWK as JSON text, strict as claims.h; a private member (`d`, `k`) or
// `key_ops` without `verify` makes it empty.
[[nodiscard]] std::optional<Jwk> ParseJwk(std::string_view json);

}  // namespace countersign::jose
