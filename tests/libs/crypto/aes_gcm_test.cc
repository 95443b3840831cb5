#include "libs/crypto/aes_gcm.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/wycheproof/wycheproof.h"

namespace countersign::crypto {
namespace {

// Fills with the nonce a test vector asks for.
class FixedNonce final : public Random {
 public:
  explicit FixedNonce(countersign::Bytes nonce) : nonce_(std::move(nonce)) {}
  void Fill(std::span<std::uint8_t> out) override { std::ranges::copy(nonce_, out.begin()); }

 private:
  countersign::Bytes nonce_;
};

Bytes Joined(const Bytes& a, const Bytes& b, const Bytes& c) {
  Bytes all = a;
  all.insert(all.end(), b.begin(), b.end());
  all.insert(all.end(), c.begin(), c.end());
  return all;
}

TEST(AesGcm, AgreesWithWycheproof) {
  const auto vectors = test::LoadWycheproof("aes_gcm_test.json");
  if (!vectors) GTEST_SKIP() << test::kNoWycheproof;
  int checked = 0;
  for (const auto& group : vectors->at("testGroups")) {
    // The one shape we use; the file has others.
    if (group.at("keySize") != 256 || group.at("ivSize") != 96 || group.at("tagSize") != 128) {
      continue;
    }
    for (const auto& vector : group.at("tests")) {
      const AesGcmKey key(test::HexField(vector, "key"));
      const Bytes nonce = test::HexField(vector, "iv");
      const Bytes message = test::HexField(vector, "msg");
      const Bytes associated = test::HexField(vector, "aad");
      const Bytes box = Joined(nonce, test::HexField(vector, "ct"), test::HexField(vector, "tag"));
      const auto opened = key.Open(box, associated);
      if (vector.at("result") == "valid") {
        FixedNonce random(nonce);
        EXPECT_EQ(opened, message) << "test " << vector.at("tcId");
        EXPECT_EQ(key.Seal(random, message, associated), box) << "test " << vector.at("tcId");
      } else {
        EXPECT_FALSE(opened) << "test " << vector.at("tcId");
      }
      ++checked;
    }
  }
  EXPECT_GT(checked, 50);
}

TEST(AesGcm, OpensWhatItSealed) {
  SystemRandom random;
  const AesGcmKey key(random.Bytes(32));
  for (const std::string_view text : {"", "x", "+14155550123"}) {
    EXPECT_EQ(key.Open(key.Seal(random, AsBytes(text), AsBytes("aad")), AsBytes("aad")),
              Bytes(text.begin(), text.end()));
  }
}

TEST(AesGcm, RefusesEverySingleBitFlip) {
  SystemRandom random;
  const AesGcmKey key(random.Bytes(32));
  const Bytes box = key.Seal(random, AsBytes("a secret"), AsBytes("aad"));
  for (std::size_t bit = 0; bit < box.size() * 8; ++bit) {
    Bytes changed = box;
    changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_FALSE(key.Open(changed, AsBytes("aad"))) << "bit " << bit;
  }
}

TEST(AesGcm, RefusesCutBoxesOtherKeysAndOtherContexts) {
  SystemRandom random;
  const AesGcmKey key(random.Bytes(32));
  const AesGcmKey other(random.Bytes(32));
  const Bytes box = key.Seal(random, AsBytes("a secret"), AsBytes("aad"));
  for (std::size_t size = 0; size < box.size(); ++size) {
    EXPECT_FALSE(key.Open(ByteView(box).first(size), AsBytes("aad"))) << size;
  }
  EXPECT_FALSE(other.Open(box, AsBytes("aad")));
  EXPECT_FALSE(key.Open(box, AsBytes("")));
  EXPECT_FALSE(key.Open(box, AsBytes("aae")));
}

TEST(AesGcm, NeverSealsTwiceAlike) {
  SystemRandom random;
  const AesGcmKey key(random.Bytes(32));
  EXPECT_NE(key.Seal(random, AsBytes("same"), {}), key.Seal(random, AsBytes("same"), {}));
}

}  // namespace
}  // namespace countersign::crypto
