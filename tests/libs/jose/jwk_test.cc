#include "libs/jose/jwk.h"

#include <gtest/gtest.h>

#include "libs/crypto/base64.h"
#include "libs/crypto/digest.h"

namespace countersign::jose {
namespace {

TEST(Jwk, IsReadBackAsTheSameKey) {
  const crypto::EcPrivateKey key = crypto::EcPrivateKey::Generate();
  const Jwk jwk = ToJwk(key.Public());
  EXPECT_EQ(jwk.alg, "ES256");
  EXPECT_EQ(jwk.use, "sig");
  EXPECT_EQ(jwk.x.size(), 43U);
  const auto read = FromJwk(jwk);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->Verify(AsBytes("message"), key.Sign(AsBytes("message"))));
}

TEST(Jwk, NamesAKeyByTheThumbprintOfItsRequiredMembers) {
  // The key of RFC 7515 appendix A.3; its RFC 7638 input written out by hand.
  const Jwk jwk{.kty = "EC",
                .crv = "P-256",
                .x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                .y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                .kid = {},
                .alg = {},
                .use = {}};
  const auto key = FromJwk(jwk);
  ASSERT_TRUE(key);
  const std::string input =
      "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" + jwk.x + "\",\"y\":\"" + jwk.y + "\"}";
  EXPECT_EQ(Thumbprint(*key), crypto::Base64UrlEncode(crypto::Sha256(AsBytes(input))));
}

TEST(Jwk, TOK5_RefusesEveryOtherKindOfKey) {
  const Jwk good = ToJwk(crypto::EcPrivateKey::Generate().Public());
  EXPECT_TRUE(FromJwk(good));
  const auto with = [&](auto change) {
    Jwk bad = good;
    change(bad);
    return FromJwk(bad).has_value();
  };
  EXPECT_FALSE(with([](Jwk& jwk) { jwk.kty = "oct"; }));
  EXPECT_FALSE(with([](Jwk& jwk) { jwk.kty = "RSA"; }));
  EXPECT_FALSE(with([](Jwk& jwk) { jwk.crv = "P-384"; }));
  EXPECT_FALSE(with([](Jwk& jwk) { jwk.crv = "secp256k1"; }));
  EXPECT_FALSE(with([](Jwk& jwk) { jwk.alg = "HS256"; }));
  EXPECT_FALSE(with([](Jwk& jwk) { jwk.use = "enc"; }));
  EXPECT_FALSE(with([](Jwk& jwk) { jwk.x += "="; }));
  EXPECT_FALSE(with([](Jwk& jwk) { jwk.x.pop_back(); }));
  EXPECT_FALSE(with([](Jwk& jwk) { jwk.y = jwk.x; }));
  EXPECT_FALSE(with([](Jwk& jwk) { jwk.y.clear(); }));
}

TEST(Jwk, TOK5_RefusesTextWithAPrivateMember) {
  EXPECT_TRUE(ParseJwk(R"({"kty":"EC","crv":"P-256","x":"a","y":"b"})"));
  EXPECT_FALSE(ParseJwk(R"({"kty":"EC","crv":"P-256","x":"a","y":"b","d":"c"})"));
  EXPECT_FALSE(ParseJwk(R"({"kty":"oct","k":"c"})"));
  EXPECT_FALSE(ParseJwk(R"({"kty":"EC","kty":"EC"})"));
  EXPECT_FALSE(ParseJwk(R"({"kty":1})"));
  EXPECT_FALSE(ParseJwk(R"({"kty":"EC","key_ops":["encrypt"]})"));
}

}  // namespace
}  // namespace countersign::jose
