#include "libs/core/random.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>

#include "libs/core/invariant.h"

namespace countersign {
namespace {

void FillFromSystem(std::span<std::uint8_t> out) {
  if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1) {
    throw std::runtime_error("the system's random generator failed");
  }
}

// Bytes drawn ahead: a call of the generator costs as much for 16 bytes as for some hundred, and a
// sign-up draws a dozen times. What has been given out is no longer here.
class Reservoir {
 public:
  static constexpr std::size_t kLargestDraw = 64;

  ~Reservoir() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }
  void Draw(std::span<std::uint8_t> out) {
    if (left_ < out.size()) {
      FillFromSystem(bytes_);
      left_ = bytes_.size();
    }
    left_ -= out.size();
    const auto drawn = std::span(bytes_).subspan(left_, out.size());
    std::ranges::copy(drawn, out.begin());
    OPENSSL_cleanse(drawn.data(), drawn.size());
  }

 private:
  std::array<std::uint8_t, 512> bytes_{};
  std::size_t left_ = 0;
};

}  // namespace

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
  if (out.size() > Reservoir::kLargestDraw) return FillFromSystem(out);
  thread_local Reservoir reservoir;
  reservoir.Draw(out);
}

}  // namespace countersign
