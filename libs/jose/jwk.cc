#include "libs/jose/jwk.h"

#include <algorithm>
#include <utility>

#include "libs/crypto/base64.h"
#include "libs/crypto/digest.h"
#include "libs/jose/claims.h"

namespace countersign::jose {
namespace {

// False unless it is canonical base64url of exactly one coordinate.
bool ReadCoordinate(std::string_view text, std::array<std::uint8_t, 32>& out) {
  const std::optional<Bytes> bytes = crypto::Base64UrlDecode(text);
  if (!bytes || bytes->size() != out.size()) return false;
  std::ranges::copy(*bytes, out.begin());
  return true;
}

}  // namespace

std::string Thumbprint(const crypto::EcPublicKey& key) {
  // Exactly the members RFC 7638 section 3.2 requires, in byte order, without white space.
  const crypto::EcPoint point = key.Point();
  const Claims members = {{"crv", std::string("P-256")},
                          {"kty", std::string("EC")},
                          {"x", crypto::Base64UrlEncode(point.x)},
                          {"y", crypto::Base64UrlEncode(point.y)}};
  return crypto::Base64UrlEncode(crypto::Sha256(AsBytes(RenderClaims(members))));
}

Jwk ToJwk(const crypto::EcPublicKey& key) {
  const crypto::EcPoint point = key.Point();
  return {.kty = "EC",
          .crv = "P-256",
          .x = crypto::Base64UrlEncode(point.x),
          .y = crypto::Base64UrlEncode(point.y),
          .kid = Thumbprint(key),
          .alg = "ES256",
          .use = "sig"};
}

std::optional<crypto::EcPublicKey> FromJwk(const Jwk& jwk) {
  if (jwk.kty != "EC" || jwk.crv != "P-256") return std::nullopt;
  if (!jwk.alg.empty() && jwk.alg != "ES256") return std::nullopt;
  if (!jwk.use.empty() && jwk.use != "sig") return std::nullopt;
  crypto::EcPoint point;
  if (!ReadCoordinate(jwk.x, point.x) || !ReadCoordinate(jwk.y, point.y)) return std::nullopt;
  return crypto::EcPublicKey::FromPoint(point);
}

std::optional<Jwk> ParseJwk(std::string_view json) {
  const std::optional<Claims> members = ParseClaims(json);
  if (!members || members->contains("d") || members->contains("k")) return std::nullopt;
  if (members->contains("key_ops")) {
    const auto* operations = TextListClaim(*members, "key_ops");
    if (operations == nullptr || !std::ranges::count(*operations, "verify")) return std::nullopt;
  }
  Jwk jwk;
  const std::pair<std::string_view, std::string*> fields[] = {
      {"kty", &jwk.kty}, {"crv", &jwk.crv}, {"x", &jwk.x},    {"y", &jwk.y},
      {"kid", &jwk.kid}, {"alg", &jwk.alg}, {"use", &jwk.use}};
  for (const auto& [name, field] : fields) {
    if (!members->contains(name)) continue;
    const std::string* text = TextClaim(*members, name);
    if (text == nullptr) return std::nullopt;
    *field = *text;
  }
  return jwk;
}

}  // namespace countersign::jose
