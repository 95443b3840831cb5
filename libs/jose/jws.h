#pragma once
// JWS compact serialisation (RFC 7515), ES256 only: which algorithm is right follows from the type
// of the key and is never taken from the token (RFC 8725 section 3.1).
#include <string>
#include <string_view>

#include "libs/core/result.h"
#include "libs/crypto/ec_key.h"

namespace countersign::jose {

// Longer tokens are refused before anything of them is read.
inline constexpr std::size_t kMaxTokenBytes = 8192;

struct JwsHeader {
  std::string alg;
  std::string typ;  // empty: absent
  std::string kid;  // empty: absent
};

// A token that was taken apart but not verified: its payload cannot be read from here.
class UnverifiedJws {
 public:
  // Refuses with TOKEN_INVALID: more than kMaxTokenBytes; not three parts of canonical base64url
  // without padding; a header that is not strict JSON (claims.h), lacks `alg`, or carries `crit`,
  // `b64`, `jku`, `jwk`, `x5u`, `x5c` or a header of a wrong type.
  [[nodiscard]] static Result<UnverifiedJws> Parse(std::string_view compact);

  [[nodiscard]] const JwsHeader& header() const { return header_; }
  // The payload if `alg` is ES256 and the signature is this key's; else TOKEN_INVALID.
  [[nodiscard]] Result<std::string> Verify(const crypto::EcPublicKey& key) const;

 private:
  UnverifiedJws() = default;
  JwsHeader header_;
  std::string signing_input_;
  std::string payload_;
  Bytes signature_;
};

// `kid` and `typ` are written into the header; `payload` is signed as it is.
struct JwsParts {
  std::string_view kid;
  std::string_view typ;
  std::string_view payload;
};
[[nodiscard]] std::string SignJws(const crypto::EcPrivateKey& key, const JwsParts& parts);

}  // namespace countersign::jose
