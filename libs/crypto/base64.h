#pragma once
// Base64 and base64url (RFC 4648 sections 4 and 5), strict: one text for one value. Decoding
// refuses white space, characters of the other alphabet, and unused bits that are not zero.
#include <optional>
#include <string>
#include <string_view>

#include "libs/core/hex.h"

namespace countersign::crypto {

// With padding.
[[nodiscard]] std::string Base64Encode(ByteView bytes);
[[nodiscard]] std::optional<Bytes> Base64Decode(std::string_view text);

// Without padding; a `=` is refused.
[[nodiscard]] std::string Base64UrlEncode(ByteView bytes);
[[nodiscard]] std::optional<Bytes> Base64UrlDecode(std::string_view text);

}  // namespace countersign::crypto
