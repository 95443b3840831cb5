#include "services/auth/tokens/refresh_token.h"

#include <algorithm>
#include <array>
#include <limits>

#include "libs/crypto/base64.h"
#include "libs/crypto/digest.h"
#include "libs/crypto/sealed_box.h"

namespace countersign::auth {
namespace {

constexpr std::string_view kPrefix = "r1.";
constexpr std::size_t kSessionBytes = 16;
constexpr std::size_t kPositionBytes = kSessionBytes + 8;
constexpr std::size_t kTokenBytes = kPositionBytes + 32;
constexpr std::size_t kBodyLength = 75;  // base64url of kTokenBytes

using Position = std::array<std::uint8_t, kPositionBytes>;

Position Pack(const RefreshPosition& position) {
  Position packed;
  std::ranges::copy(position.session_id.value.bytes, packed.begin());
  const auto counter = static_cast<std::uint64_t>(position.counter);
  for (std::size_t i = 0; i < 8; ++i) {
    packed[kSessionBytes + i] = static_cast<std::uint8_t>(counter >> (8 * (7 - i)));
  }
  return packed;
}

crypto::Digest Mac(const keystore::MacRing::Key& key, ByteView position) {
  return key.material.SignParts({AsBytes("refresh"), AsBytes(key.id), position});
}

auto Invalid(std::string_view why) {
  return Fail(reasons::kTokenInvalid, {.field = {}, .detail = std::string(why)});
}

}  // namespace

Secret<std::string> RefreshTokenCodec::Encode(const RefreshPosition& position) const {
  const keystore::MacRing::Handle key = keys_.Current();
  const Position packed = Pack(position);
  const crypto::Digest mac = Mac(*key, packed);
  Bytes body(packed.begin(), packed.end());
  body.insert(body.end(), mac.begin(), mac.end());

  std::string token(kPrefix);
  token += key->id;
  token += '.';
  token += crypto::Base64UrlEncode(body);
  return Secret<std::string>(std::move(token));
}

Result<RefreshPosition> RefreshTokenCodec::Decode(std::string_view token) const {
  if (!token.starts_with(kPrefix)) return Invalid("not a refresh token");
  token.remove_prefix(kPrefix.size());
  const std::size_t dot = token.find('.');
  if (dot == std::string_view::npos) return Invalid("not a refresh token");
  const std::string_view key_id = token.substr(0, dot);
  const std::string_view text = token.substr(dot + 1);
  if (!crypto::IsKeyId(key_id) || text.size() != kBodyLength) return Invalid("not a refresh token");
  const std::optional<Bytes> body = crypto::Base64UrlDecode(text);
  if (!body || body->size() != kTokenBytes) return Invalid("not canonical base64url");

  const keystore::MacRing::Handle key = keys_.Find(key_id);
  if (!key) return Invalid("unknown refresh key");
  const ByteView position = ByteView(*body).first(kPositionBytes);
  const ByteView mac = ByteView(*body).subspan(kPositionBytes);
  if (!crypto::ConstantTimeEqual(Mac(*key, position), mac)) return Invalid("the MAC is wrong");

  RefreshPosition decoded;
  std::ranges::copy(position.first(kSessionBytes), decoded.session_id.value.bytes.begin());
  std::uint64_t counter = 0;
  for (const std::uint8_t byte : position.subspan(kSessionBytes)) counter = (counter << 8) | byte;
  decoded.counter = static_cast<std::int64_t>(counter);
  if (decoded.counter < 1) return Invalid("no position of a chain");
  return decoded;
}

}  // namespace countersign::auth
