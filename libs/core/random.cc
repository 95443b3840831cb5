#include "libs/core/random.h"

#include <openssl/rand.h>

#include <limits>
#include <stdexcept>

#include "libs/core/invariant.h"

namespace countersign {

std::uint32_t Random::Below(std::uint32_t bound) {
  Invariant(bound > 0, "Random::Below needs a positive bound");
  constexpr std::uint64_t kRange = std::uint64_t{std::numeric_limits<std::uint32_t>::max()} + 1;
  const std::uint64_t limit = kRange - kRange % bound;
  while (true) {
    std::uint32_t value = 0;
    Fill({reinterpret_cast<std::uint8_t*>(&value), sizeof value});
    if (value < limit) return value % bound;
  }
}

std::vector<std::uint8_t> Random::Bytes(std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  Fill(bytes);
  return bytes;
}

void SystemRandom::Fill(std::span<std::uint8_t> out) {
  if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1) {
    throw std::runtime_error("the system's random generator failed");
  }
}

}  // namespace countersign
