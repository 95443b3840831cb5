#include "libs/crypto/key_quality.h"

#include <algorithm>
#include <bitset>

namespace countersign::crypto {

bool LooksRandom(ByteView key) {
  std::bitset<256> seen;
  for (const std::uint8_t byte : key) seen.set(byte);
  if (seen.count() * 2 < key.size()) return false;

  const bool printable = std::ranges::all_of(
      key, [](std::uint8_t byte) { return (byte >= 0x20 && byte < 0x7F) || byte == '\n'; });
  if (printable) return false;

  bool equal_steps = true;
  for (std::size_t i = 2; i < key.size() && equal_steps; ++i) {
    equal_steps = ((key[i] - key[i - 1]) & 0xFF) == ((key[1] - key[0]) & 0xFF);
  }
  return !equal_steps;
}

}  // namespace countersign::crypto
