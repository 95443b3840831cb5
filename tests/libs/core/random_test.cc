#include "libs/core/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <thread>
#include <vector>

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

using Drawn = std::array<std::uint8_t, 16>;

std::vector<Drawn> DrawMany(int count) {
  SystemRandom random;
  std::vector<Drawn> drawn(static_cast<std::size_t>(count));
  for (auto& bytes : drawn) random.Fill(bytes);
  return drawn;
}

TEST(Random, NoThreadGivesOutBytesTwice) {
  constexpr int kEach = 1'000;
  std::vector<std::vector<Drawn>> of_thread(4);
  {
    std::vector<std::jthread> threads;
    threads.reserve(of_thread.size());
    for (auto& drawn : of_thread) threads.emplace_back([&drawn] { drawn = DrawMany(kEach); });
  }
  std::set<Drawn> all;
  for (const auto& drawn : of_thread) all.insert(drawn.begin(), drawn.end());
  EXPECT_EQ(all.size(), of_thread.size() * kEach);
}

TEST(Random, EveryByteOfADrawIsFilled) {
  SystemRandom random;
  for (const std::size_t size : {1U, 63U, 64U, 65U, 511U, 513U}) {
    std::vector<bool> changed(size);
    for (int i = 0; i < 20; ++i) {
      const auto bytes = random.Bytes(size);
      for (std::size_t at = 0; at < size; ++at) changed[at] = changed[at] || bytes[at] != 0;
    }
    EXPECT_EQ(std::ranges::count(changed, true), static_cast<std::ptrdiff_t>(size));
  }
}

}  // namespace
}  // namespace countersign
