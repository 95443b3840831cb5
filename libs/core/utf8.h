#pragma once
#include <string_view>

namespace countersign {

// Whether `text` is well-formed UTF-8 (RFC 3629: no overlong forms, surrogates or values above
// U+10FFFF).
[[nodiscard]] bool IsUtf8(std::string_view text);

}  // namespace countersign
