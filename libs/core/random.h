#pragma once
// Randomness is passed in, so that tests can fix it. Only SystemRandom is fit for secrets.
#include <cstdint>
#include <span>
#include <vector>

namespace countersign {

class Random {
 public:
  virtual ~Random() = default;
  virtual void Fill(std::span<std::uint8_t> out) = 0;

  // Uniform in [0, bound), by rejection, so without modulo bias. bound > 0.
  [[nodiscard]] std::uint32_t Below(std::uint32_t bound);
  [[nodiscard]] std::vector<std::uint8_t> Bytes(std::size_t count);
};

// OpenSSL's CSPRNG. Thread safe. Throws std::runtime_error if the system has no entropy.
class SystemRandom final : public Random {
 public:
  void Fill(std::span<std::uint8_t> out) override;
};

}  // namespace countersign
