#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace countersign {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

[[nodiscard]] inline ByteView AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view AsText(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Lower-case hexadecimal.
void AppendHex(std::string& out, ByteView bytes);
[[nodiscard]] std::string ToHex(ByteView bytes);
// Empty for odd length or a character outside [0-9a-fA-F].
[[nodiscard]] std::optional<Bytes> FromHex(std::string_view text);

}  // namespace countersign
