#include "libs/core/utf8.h"

#include <cstdint>
#include <cstring>

namespace countersign {
namespace {

// Length of the well-formed sequence that starts at `at` (RFC 3629 section 4), 0 if there is none.
std::size_t SequenceLength(const unsigned char* at, std::size_t left) {
  const auto continues = [&](std::size_t index, unsigned low = 0x80, unsigned high = 0xbf) {
    return index < left && at[index] >= low && at[index] <= high;
  };
  const unsigned first = at[0];
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned low = first == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = first == 0xed ? 0x9f : 0xbf;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned low = first == 0xf0 ? 0x90 : 0x80;
    const unsigned high = first == 0xf4 ? 0x8f : 0xbf;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::size_t Utf8Character(std::string_view text) {
  if (text.empty()) return 0;
  return SequenceLength(reinterpret_cast<const unsigned char*>(text.data()), text.size());
}

std::size_t Utf8Prefix(std::string_view text) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t at = 0;
  while (at < text.size()) {
    std::uint64_t eight = 0;
    if (text.size() - at >= sizeof(eight)) {
      std::memcpy(&eight, bytes + at, sizeof(eight));
      if ((eight & 0x8080808080808080U) == 0) {
        at += sizeof(eight);
        continue;
      }
    }
    const std::size_t length = SequenceLength(bytes + at, text.size() - at);
    if (length == 0) break;
    at += length;
  }
  return at;
}

bool IsUtf8(std::string_view text) { return Utf8Prefix(text) == text.size(); }

}  // namespace countersign
