#include "services/auth/tokens/refresh_token.h"

#include <gtest/gtest.h>

#include <limits>

#include "libs/crypto/base64.h"
#include "libs/crypto/digest.h"
#include "tests/support/keys/keys.h"

namespace countersign::auth {
namespace {

class RefreshTokenTest : public testing::Test {
 protected:
  SystemClock clock_;
  SystemRandom random_;
  test::KeyFolder folder_{clock_};
  keystore::MacRing ring_{folder_.Ring(keystore::kRefreshRing),
                          keystore::CurrentKey::kGreatestId,
                          clock_,
                          {.at_most_every = std::chrono::milliseconds(0),
                           .at_least_every = std::chrono::milliseconds(0)}};
  RefreshTokenCodec codec_{ring_};
  RefreshPosition position_{SessionId{RandomUuid(random_)}, 7};
};

TEST_F(RefreshTokenTest, IsReadBackAsThePositionItWasMadeFor) {
  for (const std::int64_t counter : {std::int64_t{1}, std::int64_t{2}, std::int64_t{1} << 40,
                                     std::numeric_limits<std::int64_t>::max()}) {
    const RefreshPosition position{position_.session_id, counter};
    const auto decoded = codec_.Decode(codec_.Encode(position).Reveal());
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, position);
  }
}

TEST_F(RefreshTokenTest, TOK9_IsTheSameWhenMadeAgain) {
  EXPECT_EQ(codec_.Encode(position_).Reveal(), codec_.Encode(position_).Reveal());
}

TEST_F(RefreshTokenTest, TOK7_RefusesEverySingleBitFlip) {
  const std::string token = codec_.Encode(position_).Reveal();
  for (std::size_t bit = 0; bit < token.size() * 8; ++bit) {
    std::string changed = token;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    const auto decoded = codec_.Decode(changed);
    ASSERT_FALSE(decoded) << "bit " << bit;
    EXPECT_EQ(decoded.error().reason, &reasons::kTokenInvalid);
  }
}

TEST_F(RefreshTokenTest, TOK7_RefusesEveryTruncationAndEveryAddition) {
  const std::string token = codec_.Encode(position_).Reveal();
  for (std::size_t size = 0; size < token.size(); ++size) {
    EXPECT_FALSE(codec_.Decode(std::string_view(token).substr(0, size))) << size;
    EXPECT_FALSE(codec_.Decode(std::string_view(token).substr(size + 1))) << size;
  }
  for (const char* extra : {"A", "=", ".", " ", "\n", "AAAA"}) {
    EXPECT_FALSE(codec_.Decode(token + extra));
    EXPECT_FALSE(codec_.Decode(extra + token));
  }
  EXPECT_FALSE(codec_.Decode(token + token));
}

TEST_F(RefreshTokenTest, TOK7_CannotBeMadeWithoutTheKey) {
  const test::KeyFolder other_folder(clock_);
  keystore::MacRing other_ring(other_folder.Ring(keystore::kRefreshRing),
                               keystore::CurrentKey::kGreatestId, clock_);
  const RefreshTokenCodec other(other_ring);
  EXPECT_FALSE(codec_.Decode(other.Encode(position_).Reveal()));
}

TEST_F(RefreshTokenTest, CannotHaveItsCounterOrSessionExchanged) {
  const std::string mine = codec_.Encode(position_).Reveal();
  const std::string prefix = mine.substr(0, mine.rfind('.') + 1);
  const auto body = crypto::Base64UrlDecode(mine.substr(prefix.size()));
  ASSERT_TRUE(body);
  ASSERT_EQ(body->size(), 56U);
  Bytes next_counter = *body;
  ++next_counter[23];
  EXPECT_FALSE(codec_.Decode(prefix + crypto::Base64UrlEncode(next_counter)));
  Bytes other_session = *body;
  ++other_session[0];
  EXPECT_FALSE(codec_.Decode(prefix + crypto::Base64UrlEncode(other_session)));
}

TEST_F(RefreshTokenTest, TOK6_StaysGoodOverARotationOfItsKey) {
  const std::string before = codec_.Encode(position_).Reveal();
  test::FixedClock later(clock_.Now() + std::chrono::hours(48));
  const auto added = keystore::AddKey(folder_.path(), keystore::kRefreshRing, later, random_);
  const std::string after = codec_.Encode(position_).Reveal();
  EXPECT_NE(before, after);
  EXPECT_TRUE(codec_.Decode(before));
  EXPECT_TRUE(codec_.Decode(after));
  std::filesystem::remove(added);
  EXPECT_FALSE(codec_.Decode(after));
}

TEST_F(RefreshTokenTest, TOK6_NeverMakesAPathOfTheKeyId) {
  const std::string token = codec_.Encode(position_).Reveal();
  const std::string body = token.substr(token.rfind('.'));
  for (const char* key_id : {"", "..", "../refresh/x", "/etc/passwd", "%2e%2e", "x' OR '1'='1"}) {
    EXPECT_FALSE(codec_.Decode("r1." + std::string(key_id) + body)) << key_id;
  }
}

}  // namespace
}  // namespace countersign::auth
