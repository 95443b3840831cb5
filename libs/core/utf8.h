#pragma once
#include <cstddef>
#include <string_view>

namespace countersign {

// Whether `text` is well-formed UTF-8 (RFC 3629: no overlong forms, surrogates or values above
// U+10FFFF).
[[nodiscard]] bool IsUtf8(std::string_view text);
// Length of the well-formed character `text` begins with, 0 if there is none.
[[nodiscard]] std::size_t Utf8Character(std::string_view text);
// Length of the longest well-formed prefix that ends between characters.
[[nodiscard]] std::size_t Utf8Prefix(std::string_view text);

}  // namespace countersign
