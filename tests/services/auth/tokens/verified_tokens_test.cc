#include "services/auth/tokens/verified_tokens.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace countersign::auth {
namespace {

crypto::Digest KeyOf(int number) { return crypto::Sha256(AsBytes(std::to_string(number))); }
VerifiedTokens::Handle EntryOf(int number) {
  return std::make_shared<const VerifiedTokens::Entry>(
      VerifiedTokens::Entry{.key_id = std::to_string(number), .claims = {}, .not_before = {}});
}

TEST(VerifiedTokens, FindWhatWasKept) {
  VerifiedTokens verified(100);
  verified.Keep(KeyOf(1), EntryOf(1));
  ASSERT_NE(verified.Find(KeyOf(1)), nullptr);
  EXPECT_EQ(verified.Find(KeyOf(1))->key_id, "1");
  EXPECT_EQ(verified.Find(KeyOf(2)), nullptr);
}

TEST(VerifiedTokens, NeverHoldMoreThanTheirBound) {
  VerifiedTokens verified(160);
  for (int i = 0; i < 10'000; ++i) verified.Keep(KeyOf(i), EntryOf(i));
  EXPECT_LE(verified.size(), 160U);
  EXPECT_GT(verified.size(), 100U);
}

TEST(VerifiedTokens, LetGoOfTheLeastRecentlyUsed) {
  VerifiedTokens verified(160);
  verified.Keep(KeyOf(-1), EntryOf(-1));
  for (int i = 0; i < 10'000; ++i) {
    verified.Keep(KeyOf(i), EntryOf(i));
    ASSERT_NE(verified.Find(KeyOf(-1)), nullptr) << "used all the time, gone after " << i;
  }
  EXPECT_EQ(verified.Find(KeyOf(0)), nullptr);
}

TEST(VerifiedTokens, KeepNothingWithoutABound) {
  VerifiedTokens verified(0);
  verified.Keep(KeyOf(1), EntryOf(1));
  EXPECT_EQ(verified.Find(KeyOf(1)), nullptr);
}

TEST(VerifiedTokens, AreSharedByThreads) {
  VerifiedTokens verified(64);
  constexpr int kThreads = 4;
  std::vector<std::jthread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&verified] {
      for (int i = 0; i < 2000; ++i) {
        verified.Keep(KeyOf(i % 200), EntryOf(i % 200));
        const auto found = verified.Find(KeyOf(i % 200));
        EXPECT_TRUE(!found || found->key_id == std::to_string(i % 200));
      }
    });
  }
}

}  // namespace
}  // namespace countersign::auth
