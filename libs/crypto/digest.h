#pragma once
// SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104) over OpenSSL 3. Everything here is thread safe
// and throws CryptoFault only if OpenSSL itself is broken.
#include <array>
#include <initializer_list>
#include <optional>
#include <span>

#include "libs/core/hex.h"
#include "libs/crypto/handles.h"

namespace countersign::crypto {

using Digest = std::array<std::uint8_t, 32>;

[[nodiscard]] Digest Sha256(ByteView message);

// Does not tell by its time where two values of one length differ. Of different lengths: false.
[[nodiscard]] bool ConstantTimeEqual(ByteView left, ByteView right);

// Overwrites memory in a way the compiler does not remove.
void Cleanse(std::span<std::uint8_t> bytes);

// A MAC key, prepared once. Move only.
class HmacSha256Key {
 public:
  static constexpr std::size_t kFileBytes = 32;

  // Any length: fixed keys of a standard's test vectors too. Keys of ours come from a key file.
  explicit HmacSha256Key(ByteView key);
  // For KeyRing: empty unless the file holds exactly kFileBytes bytes that look random.
  [[nodiscard]] static std::optional<HmacSha256Key> FromKeyFile(ByteView file);

  [[nodiscard]] Digest Sign(ByteView message) const;
  // The MAC of the parts as one message, each preceded by its length (32 bits, big endian), so that
  // ("ab", "c") and ("a", "bc") never meet. What our own constructions use.
  [[nodiscard]] Digest SignParts(std::initializer_list<ByteView> parts) const;

 private:
  MacContextHandle prepared_;
};

}  // namespace countersign::crypto
