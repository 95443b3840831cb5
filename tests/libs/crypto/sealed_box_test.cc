#include "libs/crypto/sealed_box.h"

#include <gtest/gtest.h>

namespace countersign::crypto {
namespace {

class SealedBoxTest : public testing::Test {
 protected:
  SystemRandom random_;
  AesGcmKey key_{random_.Bytes(32)};
};

TEST_F(SealedBoxTest, OpensWithTheSameKeyAndContext) {
  const std::string text = SealToText(key_, "20261124", random_, "+14155550123", "otp.send/1");
  EXPECT_TRUE(text.starts_with("v1.20261124."));
  const auto parsed = ParseSealedBox(text);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->key_id, "20261124");
  EXPECT_EQ(OpenSealedBox(key_, *parsed, "otp.send/1"), "+14155550123");
}

TEST_F(SealedBoxTest, CannotBeMovedToAnotherEvent) {
  const auto parsed =
      ParseSealedBox(SealToText(key_, "20261124", random_, "+14155550123", "otp.send/1"));
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(OpenSealedBox(key_, *parsed, "otp.send/2"));
}

TEST_F(SealedBoxTest, CannotBeRenamedToAnotherKey) {
  auto parsed = ParseSealedBox(SealToText(key_, "20261124", random_, "text", "context"));
  ASSERT_TRUE(parsed);
  parsed->key_id = "20261125";
  EXPECT_FALSE(OpenSealedBox(key_, *parsed, "context"));
}

TEST_F(SealedBoxTest, RefusesEveryOtherForm) {
  const std::string text = SealToText(key_, "20261124", random_, "text", "context");
  const std::string body = text.substr(std::string("v1.20261124.").size());
  for (const std::string& bad :
       {std::string(), std::string("v1."), "v2.20261124." + body, "v1.." + body,
        "v1.../etc." + body, "v1.20261124." + body + "=", "v1.20261124." + body + ".", " " + text,
        text + " ", std::string("v1.20261124."), std::string("v1.20261124.AAAA"),
        "V1.20261124." + body, "v1." + std::string(65, 'a') + "." + body}) {
    EXPECT_FALSE(ParseSealedBox(bad)) << bad;
  }
}

TEST(KeyId, IsNeverAPath) {
  EXPECT_TRUE(IsKeyId("20261124"));
  EXPECT_TRUE(IsKeyId("018f7e2a-0000-7000-8000-000000000000"));
  for (const std::string_view bad : {"", ".", "..", "a/b", "../x", "a.b", "a b", "a\n", "ä"}) {
    EXPECT_FALSE(IsKeyId(bad)) << bad;
  }
  EXPECT_FALSE(IsKeyId(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace countersign::crypto
