#include "libs/crypto/base64.h"

#include <gtest/gtest.h>

#include "libs/core/random.h"

namespace countersign::crypto {
namespace {

Bytes Of(std::string_view text) { return {text.begin(), text.end()}; }

TEST(Base64, ReadsAndWritesTheStandardsExamples) {
  // RFC 4648 section 10.
  const std::pair<std::string_view, std::string_view> examples[] = {{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : examples) {
    EXPECT_EQ(Base64Encode(AsBytes(plain)), text);
    EXPECT_EQ(Base64Decode(text), Of(plain)) << text;
    const std::string_view bare = text.substr(0, text.find('='));
    EXPECT_EQ(Base64UrlEncode(AsBytes(plain)), bare);
    EXPECT_EQ(Base64UrlDecode(bare), Of(plain)) << bare;
  }
}

TEST(Base64, KeepsTheAlphabetsApart) {
  const Bytes bytes = {0xFB, 0xEF, 0xFF};
  EXPECT_EQ(Base64Encode(bytes), "++//");
  EXPECT_EQ(Base64UrlEncode(bytes), "--__");
  EXPECT_FALSE(Base64Decode("--__"));
  EXPECT_FALSE(Base64UrlDecode("++//"));
}

TEST(Base64, TOK4_RefusesWhatIsNotCanonical) {
  for (const std::string_view text :
       {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v\n", " Zm9", "Zm 9", "====", "=",
        "Zg==Zg==", "Zm9v====", "Zm9vZ===", "Zm=v", "Z\xC3\xA9=="}) {
    EXPECT_FALSE(Base64Decode(text)) << text;
  }
  for (const std::string_view text :
       {"Zg==", "Zm8=", "Zh", "Zm9", "Z", "Zm9vZ", "Zm9v\n", "Zm9v ", "Zm9\t", "Zm9v."}) {
    EXPECT_FALSE(Base64UrlDecode(text)) << text;
  }
  EXPECT_FALSE(Base64UrlDecode(std::string_view("Zm\0v", 4)));
}

TEST(Base64, ReadsBackEverythingItWrote) {
  SystemRandom random;
  for (std::size_t size = 0; size < 300; ++size) {
    const Bytes bytes = random.Bytes(size);
    EXPECT_EQ(Base64Decode(Base64Encode(bytes)), bytes);
    EXPECT_EQ(Base64UrlDecode(Base64UrlEncode(bytes)), bytes);
  }
}

// One text for one value: of all texts of four characters exactly one decodes to each value.
TEST(Base64, TOK4_HasOneTextForOneValue) {
  for (int value = 0; value < 256; ++value) {
    int accepted = 0;
    for (int last = 0; last < 256; ++last) {
      std::string text = Base64UrlEncode(Bytes{static_cast<std::uint8_t>(value)});
      text.back() = static_cast<char>(last);
      accepted += Base64UrlDecode(text) == Bytes{static_cast<std::uint8_t>(value)} ? 1 : 0;
    }
    EXPECT_EQ(accepted, 1) << value;
  }
}

}  // namespace
}  // namespace countersign::crypto
