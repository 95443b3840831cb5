#pragma once
// The text form of a sealed value: `v1.<key id>.<base64url(nonce ‖ ciphertext ‖ tag)>`. The key id
// is bound as associated data together with the caller's context, so a box cannot be moved to
// another event, field or key name.
#include <optional>
#include <string>
#include <string_view>

#include "libs/core/hex.h"
#include "libs/core/random.h"
#include "libs/crypto/aes_gcm.h"

namespace countersign::crypto {

// 1 to 64 characters of [A-Za-z0-9_-]: what a key file may be named, so also no path.
[[nodiscard]] bool IsKeyId(std::string_view text);

// `context` says what the value is and where it belongs, for example "otp.send/<event id>"; the
// opener must say the same. `key_id` must be a key id.
[[nodiscard]] std::string SealToText(const AesGcmKey& key, std::string_view key_id, Random& random,
                                     std::string_view plaintext, std::string_view context);

struct SealedBox {
  std::string key_id;
  Bytes box;
};
// Empty for anything but the canonical text form. Says nothing about whether it can be opened.
[[nodiscard]] std::optional<SealedBox> ParseSealedBox(std::string_view text);

// Empty if the key or the context is another one or the box was changed.
[[nodiscard]] std::optional<std::string> OpenSealedBox(const AesGcmKey& key,
                                                       const SealedBox& sealed,
                                                       std::string_view context);

}  // namespace countersign::crypto
