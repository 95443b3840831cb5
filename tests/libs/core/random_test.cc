#include "libs/core/random.h"

#include <gtest/gtest.h>

#include <array>

namespace countersign {
namespace {

class FixedRandom final : public Random {
 public:
  explicit FixedRandom(std::vector<std::uint32_t> values) : values_(std::move(values)) {}
  void Fill(std::span<std::uint8_t> out) override {
    const std::uint32_t value = values_.at(next_++);
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<std::uint8_t>(value >> (8 * i));
    }
  }

 private:
  std::vector<std::uint32_t> values_;
  std::size_t next_ = 0;
};

TEST(Random, DrawsAgainInsteadOfFoldingTheUnevenEnd) {
  // 2^32 is not a multiple of ten: the last six values would favour the digits 0 to 5.
  FixedRandom random({0xFFFFFFFF, 0xFFFFFFFA, 7});
  EXPECT_EQ(random.Below(10), 7U);
}

TEST(Random, OTP1_DigitsAreUniform) {
  SystemRandom random;
  constexpr int kDraws = 1'000'000;
  std::array<int, 10> seen{};
  for (int i = 0; i < kDraws; ++i) ++seen.at(random.Below(10));
  double chi_square = 0;
  for (const int count : seen) {
    const double off = count - kDraws / 10.0;
    chi_square += off * off / (kDraws / 10.0);
  }
  // Nine degrees of freedom; 39.3 is passed by chance once in 100,000 runs.
  EXPECT_LT(chi_square, 39.3);
}

}  // namespace
}  // namespace countersign
