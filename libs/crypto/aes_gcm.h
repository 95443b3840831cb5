#pragma once
// AES-256-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags.
#include <array>
#include <optional>

#include "libs/core/hex.h"
#include "libs/core/random.h"

namespace countersign::crypto {

// A sealing key; wiped when destroyed. Move only, thread safe.
class AesGcmKey {
 public:
  static constexpr std::size_t kKeyBytes = 32;
  static constexpr std::size_t kNonceBytes = 12;
  static constexpr std::size_t kTagBytes = 16;

  // `key` must have kKeyBytes bytes.
  explicit AesGcmKey(ByteView key);
  // For KeyRing: empty unless the file holds exactly kKeyBytes bytes that look random.
  [[nodiscard]] static std::optional<AesGcmKey> FromKeyFile(ByteView file);
  AesGcmKey(AesGcmKey&& other) noexcept;
  AesGcmKey& operator=(AesGcmKey&& other) noexcept;
  ~AesGcmKey();

  // nonce ‖ ciphertext ‖ tag with a fresh random nonce. Random nonces are safe for 2^32 messages a
  // key; daily and per-person keys stay far below.
  [[nodiscard]] Bytes Seal(Random& random, ByteView plaintext, ByteView associated) const;
  // Empty if the box was made with another key or other associated data, was changed or is cut.
  [[nodiscard]] std::optional<Bytes> Open(ByteView box, ByteView associated) const;

 private:
  std::array<std::uint8_t, kKeyBytes> key_;
};

}  // namespace countersign::crypto
