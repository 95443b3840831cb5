#include "libs/jose/jws.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "libs/crypto/base64.h"
#include "libs/jose/claims.h"

namespace countersign::jose {
namespace {

constexpr std::string_view kAlgorithm = "ES256";

// Headers by which a token would choose its own key or rules. `crit` lists extensions a verifier
// must understand; we have none, so any `crit` is unknown.
constexpr std::array<std::string_view, 7> kRefused = {"b64", "crit", "jku", "jwk",
                                                      "x5c", "x5u",  "zip"};

auto Invalid(std::string_view why) {
  return Fail(reasons::kTokenInvalid, {.field = {}, .detail = std::string(why)});
}

// False if the header is there and is no text.
bool TakeText(const Claims& header, std::string_view name, std::string& out) {
  if (!header.contains(name)) return true;
  const std::string* text = TextClaim(header, name);
  if (text == nullptr || text->empty()) return false;
  out = *text;
  return true;
}

std::optional<JwsHeader> ParseHeader(std::string_view json) {
  const std::optional<Claims> fields = ParseClaims(json);
  if (!fields) return std::nullopt;
  if (std::ranges::any_of(kRefused,
                          [&](std::string_view name) { return fields->contains(name); })) {
    return std::nullopt;
  }
  JwsHeader header;
  if (!TakeText(*fields, "alg", header.alg) || !TakeText(*fields, "typ", header.typ) ||
      !TakeText(*fields, "kid", header.kid) || header.alg.empty()) {
    return std::nullopt;
  }
  return header;
}

}  // namespace

Result<UnverifiedJws> UnverifiedJws::Parse(std::string_view compact) {
  if (compact.size() > kMaxTokenBytes) return Invalid("the token is too long");
  const std::size_t first = compact.find('.');
  if (first == std::string_view::npos) return Invalid("not a compact JWS");
  const std::size_t second = compact.find('.', first + 1);
  if (second == std::string_view::npos) return Invalid("not a compact JWS");

  const std::optional<Bytes> header = crypto::Base64UrlDecode(compact.substr(0, first));
  const std::optional<Bytes> payload =
      crypto::Base64UrlDecode(compact.substr(first + 1, second - first - 1));
  std::optional<Bytes> signature = crypto::Base64UrlDecode(compact.substr(second + 1));
  if (!header || !payload || !signature) return Invalid("a part is not canonical base64url");

  std::optional<JwsHeader> parsed = ParseHeader(AsText(*header));
  if (!parsed) return Invalid("the header is refused");
  UnverifiedJws jws;
  jws.header_ = *std::move(parsed);
  jws.signing_input_ = compact.substr(0, second);
  jws.payload_ = AsText(*payload);
  jws.signature_ = *std::move(signature);
  return jws;
}

Result<std::string> UnverifiedJws::Verify(const crypto::EcPublicKey& key) const {
  if (header_.alg != kAlgorithm) return Invalid("an algorithm this key is not for");
  if (!key.Verify(AsBytes(signing_input_), signature_)) return Invalid("the signature is wrong");
  return payload_;
}

std::string SignJws(const crypto::EcPrivateKey& key, const JwsParts& parts) {
  const Claims header = {{"alg", std::string(kAlgorithm)},
                         {"kid", std::string(parts.kid)},
                         {"typ", std::string(parts.typ)}};
  std::string compact = crypto::Base64UrlEncode(AsBytes(RenderClaims(header)));
  compact += '.';
  compact += crypto::Base64UrlEncode(AsBytes(parts.payload));
  const crypto::Es256Signature signature = key.Sign(AsBytes(compact));
  compact += '.';
  compact += crypto::Base64UrlEncode(signature);
  return compact;
}

}  // namespace countersign::jose
