#include "services/auth/tokens/token_verifier.h"

#include <gtest/gtest.h>

#include "libs/crypto/base64.h"
#include "libs/crypto/sealed_box.h"
#include "libs/jose/claims.h"
#include "libs/jose/jws.h"
#include "services/auth/tokens/refresh_token.h"
#include "tests/services/auth/tokens/issued.h"

namespace countersign::auth {
namespace {

using Audience = std::vector<std::string>;
using namespace std::chrono_literals;

class TokenVerifierTest : public testing::Test {
 protected:
  [[nodiscard]] jose::Claims GoodClaims() {
    const auto jws = jose::UnverifiedJws::Parse(issued_.Token());
    return *jose::ParseClaims(*jws->Verify(issued_.ring.Current()->material.Public()));
  }
  // Rightly signed, whatever it says.
  [[nodiscard]] std::string Signed(const jose::Claims& claims, std::string_view typ = "at+jwt") {
    return SignedText(jose::RenderClaims(claims), typ);
  }
  [[nodiscard]] std::string SignedText(std::string_view payload, std::string_view typ = "at+jwt") {
    const auto key = issued_.keys.Current();
    return jose::SignJws(key->handle->material,
                         {.kid = key->key_id, .typ = typ, .payload = payload});
  }
  [[nodiscard]] const Reason* Refusal(std::string_view token, Instant now = kNow) {
    const auto verified = verifier_.Verify(token, now);
    return verified ? nullptr : verified.error().reason;
  }

  Issued issued_;
  TokenVerifier verifier_{{.issuer = kIssuer, .audiences = {kAudience, "other"}}, issued_.keys};
};

TEST_F(TokenVerifierTest, TellsWhatAGoodTokenSays) {
  const AccessGrant grant = issued_.Grant();
  const auto claims = verifier_.Verify(issued_.Issue(grant).token.Reveal(), kNow);
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->user_id, grant.user_id);
  EXPECT_EQ(claims->session_id, grant.session_id);
  EXPECT_EQ(claims->methods, grant.methods);
  EXPECT_EQ(claims->role, "user");
  EXPECT_EQ(claims->client_id, "app");
  EXPECT_EQ(claims->audiences, (std::vector<std::string>{kAudience}));
  EXPECT_EQ(claims->expires_at, kNow + 15min);
}

TEST_F(TokenVerifierTest, TOK3_RefusesATokenOnAndAfterItsEndAlsoWhenRemembered) {
  const std::string token = issued_.Token();
  EXPECT_EQ(Refusal(token, kNow + 15min - 1s), nullptr);
  EXPECT_EQ(Refusal(token, kNow + 15min), &reasons::kTokenExpired);
  EXPECT_EQ(Refusal(token, kNow + 15min - 1s), nullptr);
}

TEST_F(TokenVerifierTest, TOK3_HeedsTheLeeway) {
  TokenVerifier lenient({.issuer = kIssuer, .audiences = {kAudience}, .leeway = 30s}, issued_.keys);
  const std::string token = issued_.Token();
  EXPECT_TRUE(lenient.Verify(token, kNow + 15min + 29s));
  EXPECT_FALSE(lenient.Verify(token, kNow + 15min + 30s));
}

TEST_F(TokenVerifierTest, TOK3_RefusesEveryMissingClaim) {
  for (const auto& [name, value] : GoodClaims()) {
    jose::Claims claims = GoodClaims();
    claims.erase(name);
    EXPECT_EQ(Refusal(Signed(claims)), &reasons::kTokenInvalid) << name;
  }
  EXPECT_EQ(Refusal(Signed(GoodClaims())), nullptr) << "the control";
}

TEST_F(TokenVerifierTest, TOK3_RefusesEveryClaimOfAWrongType) {
  for (const char* wrong : {"null", "true", "1.5", "{}", "[1]", "[[\"fleet\"]]", "-1",
                            "99999999999999", "\"\"", "\"1795500900\""}) {
    for (const char* name : {"iss", "sub", "sid", "exp", "iat", "jti", "aud", "amr", "nbf"}) {
      jose::Claims claims = GoodClaims();
      claims.erase(name);
      std::string payload = jose::RenderClaims(claims);
      payload.insert(1, std::string("\"") + name + "\":" + wrong + ",");
      // A number is right for a date in the future, an empty list for amr; neither is among these
      // but for jti, which is any text.
      if (std::string_view(name) == "jti" && std::string_view(wrong) == "\"1795500900\"") continue;
      EXPECT_EQ(Refusal(SignedText(payload)), &reasons::kTokenInvalid) << name << " " << wrong;
    }
  }
}

TEST_F(TokenVerifierTest, TOK3_TakesNoOtherIssuerOrAudience) {
  jose::Claims claims = GoodClaims();
  for (const char* issuer : {"https://auth.example.com/", "https://auth.example.co",
                             "HTTPS://auth.example.com", "https://evil.example.com"}) {
    claims["iss"] = std::string(issuer);
    EXPECT_EQ(Refusal(Signed(claims)), &reasons::kTokenInvalid) << issuer;
  }
  claims["iss"] = kIssuer;
  for (const Audience& audience : {Audience{}, Audience{"Fleet"}, Audience{"fleet2", "flee"}}) {
    claims["aud"] = audience;
    EXPECT_EQ(Refusal(Signed(claims)), &reasons::kTokenInvalid);
  }
  claims["aud"] = std::string("other");
  EXPECT_EQ(Refusal(Signed(claims)), nullptr) << "one audience may stand as text (RFC 7519 4.1.3)";
}

TEST_F(TokenVerifierTest, TOK3_RefusesATokenBeforeItsTime) {
  jose::Claims claims = GoodClaims();
  claims["nbf"] = std::int64_t{1'795'500'010};
  const std::string token = Signed(claims);
  EXPECT_EQ(Refusal(token, kNow), &reasons::kTokenInvalid);
  EXPECT_EQ(Refusal(token, kNow + 10s), nullptr);
  EXPECT_EQ(Refusal(token, kNow), &reasons::kTokenInvalid) << "also when remembered";
}

TEST_F(TokenVerifierTest, TOK4_RefusesClaimsThatAreNotStrictJson) {
  const std::string payload = jose::RenderClaims(GoodClaims());
  EXPECT_EQ(Refusal(SignedText(payload)), nullptr) << "the control";
  std::string twice = payload;
  twice.insert(1, R"("sub":"018f7e2a-0000-7000-8000-000000000000",)");
  std::string not_utf8 = payload;
  not_utf8.insert(1, "\"x\":\"\xFF\",");
  for (const std::string& bad :
       {twice, not_utf8, payload + "x", payload + "{}", payload + std::string(1, '\0'),
        "[" + payload + "]", std::string()}) {
    EXPECT_EQ(Refusal(SignedText(bad)), &reasons::kTokenInvalid);
  }
}

TEST_F(TokenVerifierTest, TOK2_TakesTheTypOfAnAccessTokenOnly) {
  const jose::Claims claims = GoodClaims();
  for (const char* typ : {"at+jwt", "AT+JWT", "application/at+jwt"}) {
    EXPECT_EQ(Refusal(Signed(claims, typ)), nullptr) << typ;
  }
  for (const char* typ : {"JWT", "jwt", "id+jwt", "logout+jwt", "rt+jwt", "otp+jwt", "at", "+jwt",
                          "at+jwt ", "application/application/at+jwt", "secevent+jwt"}) {
    EXPECT_EQ(Refusal(Signed(claims, typ)), &reasons::kTokenInvalid) << typ;
  }
}

TEST_F(TokenVerifierTest, TOK2_TakesNothingElseWeHandOutForAnAccessToken) {
  keystore::MacRing refresh_ring(issued_.folder.Ring(keystore::kRefreshRing),
                                 keystore::CurrentKey::kGreatestId, issued_.clock);
  const RefreshTokenCodec codec(refresh_ring);
  const std::string refresh = codec.Encode({SessionId{RandomUuid(issued_.random)}, 1}).Reveal();
  const std::string verification_id = crypto::Base64UrlEncode(issued_.random.Bytes(16));
  const crypto::AesGcmKey key(issued_.random.Bytes(32));
  const std::string box =
      crypto::SealToText(key, "20261124", issued_.random, "+14155550123", "otp.send/1");
  const std::string access = issued_.Token();
  for (const std::string& other :
       {refresh, verification_id, box, std::string("123456"), std::string()}) {
    EXPECT_EQ(Refusal(other), &reasons::kTokenInvalid);
    EXPECT_EQ(codec.Decode(other).has_value(), other == refresh);
  }
  EXPECT_TRUE(codec.Decode(refresh));
  EXPECT_FALSE(codec.Decode(access)) << "an access token is no refresh token";
  EXPECT_FALSE(crypto::ParseSealedBox(access));
  EXPECT_FALSE(crypto::ParseSealedBox(refresh));
}

TEST_F(TokenVerifierTest, TOK6_ARetiredKeyVerifiesNothingAlsoNothingRemembered) {
  const std::string token = issued_.Token();
  ASSERT_EQ(Refusal(token), nullptr);
  test::FixedClock later(kNow + std::chrono::hours(48));
  const std::string old_file = issued_.ring.Current()->id + ".pem";
  std::ignore =
      keystore::AddKey(issued_.folder.path(), keystore::kSigningRing, later, issued_.random);
  EXPECT_EQ(Refusal(token), nullptr) << "two keys live";
  std::filesystem::remove(issued_.folder.Ring(keystore::kSigningRing) / old_file);
  EXPECT_EQ(Refusal(token), &reasons::kTokenInvalid);
}

TEST_F(TokenVerifierTest, TOK6_NeverMakesAPathOfTheKeyId) {
  const auto key = issued_.keys.Current();
  const std::string payload = jose::RenderClaims(GoodClaims());
  for (const char* kid : {"../signing/x", "/etc/passwd", "x' OR '1'='1", "20261124"}) {
    EXPECT_EQ(Refusal(jose::SignJws(key->handle->material,
                                    {.kid = kid, .typ = "at+jwt", .payload = payload})),
              &reasons::kTokenInvalid);
  }
}

TEST_F(TokenVerifierTest, RefusesTheTokensOfAnotherInstallation) {
  Issued other;
  EXPECT_EQ(Refusal(other.Token()), &reasons::kTokenInvalid);
}

TEST_F(TokenVerifierTest, TOK4_RefusesEveryBitFlipAlsoOfARememberedToken) {
  const std::string token = issued_.Token();
  ASSERT_EQ(Refusal(token), nullptr);
  for (std::size_t bit = 0; bit < token.size() * 8; ++bit) {
    std::string changed = token;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_EQ(Refusal(changed), &reasons::kTokenInvalid) << "bit " << bit;
  }
}

TEST_F(TokenVerifierTest, RemembersNothingThatItRefused) {
  jose::Claims claims = GoodClaims();
  claims["iss"] = std::string("https://evil.example.com");
  const std::string token = Signed(claims);
  EXPECT_EQ(Refusal(token), &reasons::kTokenInvalid);
  EXPECT_EQ(Refusal(token), &reasons::kTokenInvalid);
}

}  // namespace
}  // namespace countersign::auth
