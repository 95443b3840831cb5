#include "services/otp/domain/challenge.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>
#include <string>

namespace countersign::otp {
namespace {

// Says what it is told, then counts on.
class ScriptedRandom final : public Random {
 public:
  explicit ScriptedRandom(std::vector<std::uint32_t> words) : words_(std::move(words)) {}
  void Fill(std::span<std::uint8_t> out) override {
    ASSERT_EQ(out.size(), sizeof(std::uint32_t));
    ASSERT_LT(next_, words_.size());
    std::memcpy(out.data(), &words_[next_++], sizeof(std::uint32_t));
  }
  [[nodiscard]] std::size_t drawn() const { return next_; }

 private:
  std::vector<std::uint32_t> words_;
  std::size_t next_ = 0;
};

TEST(Code, OTP1_HasTheLengthItIsAskedForAndOnlyDigits) {
  SystemRandom random;
  for (int length = kShortestCode; length <= kLongestCode; ++length) {
    const auto code = DrawCode(random, length);
    EXPECT_EQ(code.Reveal().size(), static_cast<std::size_t>(length));
    EXPECT_EQ(code.Reveal().find_first_not_of("0123456789"), std::string::npos);
  }
}

TEST(Code, OTP1_KeepsLeadingZeros) {
  ScriptedRandom random({7, 42, 3});
  EXPECT_EQ(DrawCode(random, 6).Reveal(), "000007");
  EXPECT_EQ(DrawCode(random, 10).Reveal(), "0000000423");
}

// 2^32 is no multiple of a million: what lies above the last multiple is drawn again instead of
// making small codes likelier.
TEST(Code, OTP1_DrawsAgainWhatWouldMakeSomeCodesLikelier) {
  ScriptedRandom random({4'294'967'295U, 4'294'000'000U, 4'293'999'999U});
  EXPECT_EQ(DrawCode(random, 6).Reveal(), "999999");
  EXPECT_EQ(random.drawn(), 3U);
}

// Chi-square over 10^6 codes, for each place and each digit: 9 degrees of freedom, limit for
// p = 10^-6 (56 000 would be needed to notice a bias of one in a thousand).
TEST(Code, OTP1_EveryDigitIsEquallyLikelyInEveryPlace) {
  SystemRandom random;
  constexpr int kCodes = 1'000'000;
  std::array<std::array<int, 10>, 6> counts{};
  for (int i = 0; i < kCodes; ++i) {
    const auto code = DrawCode(random, 6);
    for (std::size_t place = 0; place < 6; ++place) {
      ++counts[place][static_cast<std::size_t>(code.Reveal()[place] - '0')];
    }
  }
  for (const auto& place : counts) {
    double chi_square = 0;
    for (const int count : place) {
      const double off = count - kCodes / 10.0;
      chi_square += off * off / (kCodes / 10.0);
    }
    EXPECT_LT(chi_square, 43.0);
  }
}

TEST(Guess, IsFourToTenDigitsOrLetters) {
  for (const char* good : {"1234", "123456", "1234567890", "aZ09"}) EXPECT_TRUE(IsGuess(good));
  for (const char* bad : {"", "123", "12345678901", "12 456", "１２３４", "12\n45", "123-4"})
    EXPECT_FALSE(IsGuess(bad)) << bad;
  constexpr char kWithNul[] = {'1', '2', '\0', '4', '5', '6'};
  EXPECT_FALSE(IsGuess({kWithNul, sizeof kWithNul}));
}

TEST(Purpose, WordsComeBackAndOthersAreNone) {
  for (const Purpose purpose : {Purpose::kSignup, Purpose::kLogin})
    EXPECT_EQ(ParsePurpose(ToString(purpose)), purpose);
  EXPECT_EQ(ParsePurpose(""), std::nullopt);
  EXPECT_EQ(ParsePurpose("Login"), std::nullopt);
}

TEST(Standing, OnlyACountedGuessIsCompared) {
  EXPECT_EQ(VerdictOf(Standing::kCompare), std::nullopt);
  const std::map<std::string, Verdict> verdicts = {
      {"approved", Verdict::kApproved},   {"wrong", Verdict::kWrong},
      {"exhausted", Verdict::kExhausted}, {"expired", Verdict::kExpired},
      {"not_found", Verdict::kNotFound},  {"used", Verdict::kUsed}};
  for (const auto& [word, verdict] : verdicts) {
    const auto standing = ParseStanding(word);
    ASSERT_TRUE(standing.has_value()) << word;
    EXPECT_EQ(VerdictOf(*standing), verdict) << word;
    EXPECT_EQ(ToString(verdict), word);
  }
  EXPECT_EQ(ParseStanding("allowed"), std::nullopt);
}

}  // namespace
}  // namespace countersign::otp
