#pragma once
#include <charconv>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace countersign {

// A position in PostgreSQL's write-ahead log. 0 is no position.
struct Lsn {
  std::uint64_t value = 0;
  auto operator<=>(const Lsn&) const = default;
};

// PostgreSQL's own notation: "16/B374D848".
[[nodiscard]] inline std::string ToString(Lsn lsn) {
  char text[18];
  const auto to_hex = [&](char* at, std::uint64_t half) {
    char* end = std::to_chars(at, text + sizeof text, half, 16).ptr;
    for (char* c = at; c != end; ++c) *c = *c >= 'a' ? static_cast<char>(*c - 'a' + 'A') : *c;
    return end;
  };
  char* middle = to_hex(text, lsn.value >> 32);
  *middle = '/';
  return {text, to_hex(middle + 1, lsn.value & 0xffffffffU)};
}

[[nodiscard]] inline std::optional<Lsn> ParseLsn(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto half = [](std::string_view digits) -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (error != std::errc{} || end != digits.data() + digits.size() || digits.size() > 8) {
      return std::nullopt;
    }
    return value;
  };
  const auto high = half(text.substr(0, slash));
  const auto low = half(text.substr(slash + 1));
  if (!high || !low) return std::nullopt;
  return Lsn{*high << 32 | *low};
}

}  // namespace countersign
