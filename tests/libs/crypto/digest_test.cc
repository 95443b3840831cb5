#include "libs/crypto/digest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "libs/core/random.h"
#include "tests/support/wycheproof/wycheproof.h"

namespace countersign::crypto {
namespace {

TEST(Sha256, HashesTheStandardsExamples) {
  EXPECT_EQ(ToHex(Sha256(AsBytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(ToHex(Sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(ConstantTimeEqual, ComparesFullLengths) {
  EXPECT_TRUE(ConstantTimeEqual(AsBytes("same"), AsBytes("same")));
  EXPECT_TRUE(ConstantTimeEqual({}, {}));
  EXPECT_FALSE(ConstantTimeEqual(AsBytes("same"), AsBytes("sane")));
  EXPECT_FALSE(ConstantTimeEqual(AsBytes("same"), AsBytes("sam")));
  EXPECT_FALSE(ConstantTimeEqual(AsBytes("same"), {}));
}

TEST(HmacSha256, AgreesWithWycheproof) {
  const auto vectors = test::LoadWycheproof("hmac_sha256_test.json");
  if (!vectors) GTEST_SKIP() << test::kNoWycheproof;
  int checked = 0;
  for (const auto& group : vectors->at("testGroups")) {
    const std::size_t tag_bytes = group.at("tagSize").get<std::size_t>() / 8;
    for (const auto& vector : group.at("tests")) {
      const HmacSha256Key key(test::HexField(vector, "key"));
      const Digest mac = key.Sign(test::HexField(vector, "msg"));
      const bool right =
          ConstantTimeEqual(ByteView(mac).first(tag_bytes), test::HexField(vector, "tag"));
      EXPECT_EQ(right, vector.at("result") == "valid") << "test " << vector.at("tcId");
      ++checked;
    }
  }
  EXPECT_EQ(checked, vectors->at("numberOfTests").get<int>());
}

TEST(HmacSha256, KeepsTheBordersOfPartsApart) {
  const HmacSha256Key key(AsBytes("any key"));
  EXPECT_NE(key.SignParts({AsBytes("ab"), AsBytes("c")}),
            key.SignParts({AsBytes("a"), AsBytes("bc")}));
  EXPECT_NE(key.SignParts({AsBytes("abc")}), key.SignParts({AsBytes("abc"), AsBytes("")}));
  EXPECT_EQ(key.SignParts({AsBytes("ab"), AsBytes("c")}),
            key.SignParts({AsBytes("ab"), AsBytes("c")}));
}

TEST(HmacSha256, SignsTheSameFromManyThreads) {
  const HmacSha256Key key(AsBytes("any key"));
  const Digest expected = key.Sign(AsBytes("message"));
  std::vector<int> wrong(4, 0);
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < wrong.size(); ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 2000; ++i) wrong[t] += key.Sign(AsBytes("message")) != expected;
      });
    }
  }
  EXPECT_EQ(std::ranges::count(wrong, 0), 4);
}

TEST(HmacSha256, TOK5_RefusesKeyFilesThatNoGeneratorWrote) {
  Bytes counted(32);
  for (std::size_t i = 0; i < counted.size(); ++i) counted[i] = static_cast<std::uint8_t>(i);
  EXPECT_FALSE(HmacSha256Key::FromKeyFile(Bytes(32, 0)));
  EXPECT_FALSE(HmacSha256Key::FromKeyFile(Bytes(32, 0xFF)));
  EXPECT_FALSE(HmacSha256Key::FromKeyFile(counted));
  EXPECT_FALSE(HmacSha256Key::FromKeyFile(AsBytes("example-key-change-me-0123456789")));
}

TEST(HmacSha256, TOK5_TakesRandomKeyFilesOfExactly32Bytes) {
  SystemRandom random;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(HmacSha256Key::FromKeyFile(random.Bytes(32)));
  }
  EXPECT_FALSE(HmacSha256Key::FromKeyFile(random.Bytes(31)));
  EXPECT_FALSE(HmacSha256Key::FromKeyFile(random.Bytes(33)));
  EXPECT_FALSE(HmacSha256Key::FromKeyFile({}));
}

}  // namespace
}  // namespace countersign::crypto
