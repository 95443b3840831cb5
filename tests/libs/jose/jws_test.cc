#include "libs/jose/jws.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "libs/crypto/base64.h"
#include "libs/crypto/digest.h"
#include "libs/jose/jwk.h"
#include "tests/support/wycheproof/wycheproof.h"

namespace countersign::jose {
namespace {

std::string Url(std::string_view text) { return crypto::Base64UrlEncode(AsBytes(text)); }

class JwsTest : public testing::Test {
 protected:
  [[nodiscard]] std::string Good() const {
    return SignJws(key_, {.kid = "k1", .typ = "at+jwt", .payload = "{\"sub\":\"u\"}"});
  }
  // A token whose signature over a header of the attacker's choice is right.
  [[nodiscard]] std::string WithHeader(std::string_view header) const {
    const std::string input = Url(header) + "." + Url("{}");
    return input + "." + crypto::Base64UrlEncode(key_.Sign(AsBytes(input)));
  }
  [[nodiscard]] bool Accepts(std::string_view token) const {
    const auto parsed = UnverifiedJws::Parse(token);
    if (!parsed) {
      EXPECT_EQ(parsed.error().reason, &reasons::kTokenInvalid);
      return false;
    }
    return parsed->Verify(key_.Public()).has_value();
  }

  crypto::EcPrivateKey key_ = crypto::EcPrivateKey::Generate();
};

TEST_F(JwsTest, GivesThePayloadOfATokenItSigned) {
  const auto parsed = UnverifiedJws::Parse(Good());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->header().alg, "ES256");
  EXPECT_EQ(parsed->header().kid, "k1");
  EXPECT_EQ(parsed->header().typ, "at+jwt");
  const auto payload = parsed->Verify(key_.Public());
  ASSERT_TRUE(payload);
  EXPECT_EQ(*payload, "{\"sub\":\"u\"}");
}

TEST_F(JwsTest, TOK1_TakesNoAlgorithmFromTheToken) {
  EXPECT_TRUE(Accepts(WithHeader(R"({"alg":"ES256"})")));
  for (const char* alg : {"none", "None", "NONE", "", "HS256", "HS512", "RS256", "ES384", "ES512",
                          "ES256K", "es256", "EdDSA", "ES256 "}) {
    EXPECT_FALSE(Accepts(WithHeader(std::string(R"({"alg":")") + alg + "\"}"))) << alg;
    EXPECT_FALSE(Accepts(Url(std::string(R"({"alg":")") + alg + "\"}") + "." + Url("{}") + "."))
        << alg << " without a signature";
  }
}

TEST_F(JwsTest, TOK1_RefusesAnHmacMadeWithThePublicKey) {
  const Jwk jwk = ToJwk(key_.Public());
  const crypto::EcPoint point = key_.Public().Point();
  Bytes uncompressed = {4};
  uncompressed.insert(uncompressed.end(), point.x.begin(), point.x.end());
  uncompressed.insert(uncompressed.end(), point.y.begin(), point.y.end());
  const std::string input = Url(R"({"alg":"HS256","kid":"k1"})") + "." + Url("{}");
  for (const std::string& secret :
       {std::string(AsText(uncompressed)), std::string(AsText(point.x)), jwk.x, jwk.x + jwk.y}) {
    const crypto::Digest mac = crypto::HmacSha256Key(AsBytes(secret)).Sign(AsBytes(input));
    EXPECT_FALSE(Accepts(input + "." + crypto::Base64UrlEncode(mac)));
  }
}

TEST_F(JwsTest, TOK1_RefusesHeadersThatBringTheirOwnKeyOrRules) {
  for (const char* extra :
       {R"("crit":["exp"],"exp":1)", R"("crit":[])", R"("crit":["b64"],"b64":false)",
        R"("b64":true)", R"("jku":"https://example.com/keys")", R"("jwk":{"kty":"EC"})",
        R"("x5u":"https://example.com/cert")", R"("x5c":["AA=="])", R"("zip":"DEF")"}) {
    EXPECT_FALSE(Accepts(WithHeader(std::string(R"({"alg":"ES256",)") + extra + "}"))) << extra;
  }
}

TEST_F(JwsTest, TOK4_RefusesHeadersThatAreNotStrictJson) {
  for (const char* header :
       {R"({"alg":"ES256","alg":"ES256"})", R"({"alg":"none","alg":"ES256"})",
        R"({"alg":"ES256"}x)", R"([])", R"("ES256")", R"({"alg":["ES256"]})", R"({"alg":256})",
        R"({"alg":"ES256","kid":7})", R"({"alg":"ES256","kid":""})",
        R"({"alg":"ES256","typ":null})", R"({})", "", "{\"alg\":\"ES256\",\"kid\":\"\xFF\"}"}) {
    EXPECT_FALSE(Accepts(WithHeader(header))) << header;
  }
}

TEST_F(JwsTest, TOK4_RefusesEveryOtherShape) {
  const std::string good = Good();
  ASSERT_TRUE(Accepts(good));
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string("..."), good + ".",
        "." + good, good + "." + Url("{}"), good + "=", good + " ", " " + good, good + "\n",
        good + std::string(1, '\0'), good.substr(0, good.rfind('.')),
        good.substr(0, good.rfind('.') + 1), "Bearer " + good}) {
    EXPECT_FALSE(Accepts(bad)) << bad;
  }
}

TEST_F(JwsTest, TOK4_RefusesEveryTruncation) {
  const std::string good = Good();
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(Accepts(std::string_view(good).substr(0, size))) << size;
  }
}

TEST_F(JwsTest, TOK4_RefusesEverySingleBitFlip) {
  const std::string good = Good();
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string changed = good;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(Accepts(changed)) << "bit " << bit;
  }
}

TEST_F(JwsTest, TOK4_RefusesMoreThan8KiBBeforeParsing) {
  const auto of_payload = [&](std::size_t size) {
    return SignJws(key_, {.kid = "k", .typ = "at+jwt", .payload = std::string(size, ' ')});
  };
  std::size_t size = 6000;
  while (of_payload(size + 1).size() <= kMaxTokenBytes) ++size;
  EXPECT_TRUE(Accepts(of_payload(size)));
  EXPECT_FALSE(Accepts(of_payload(size + 1)));
  // A megabyte of dots must not cost a list of a million parts.
  EXPECT_FALSE(Accepts(std::string(1 << 20, '.')));
}

TEST_F(JwsTest, RefusesTheTokenOfAnotherKey) {
  const auto parsed = UnverifiedJws::Parse(Good());
  ASSERT_TRUE(parsed);
  const crypto::EcPrivateKey other = crypto::EcPrivateKey::Generate();
  EXPECT_FALSE(parsed->Verify(other.Public()));
}

bool VerifiesVector(const nlohmann::json& group, const nlohmann::json& vector) {
  const auto jwk = ParseJwk(group.at("public").dump());
  if (!jwk || !vector.at("jws").is_string()) return false;
  const auto key = FromJwk(*jwk);
  if (!key) return false;
  const auto parsed = UnverifiedJws::Parse(vector.at("jws").get<std::string>());
  if (!parsed || (!parsed->header().kid.empty() && parsed->header().kid != jwk->kid)) return false;
  return parsed->Verify(*key).has_value();
}

// ES256 is the one algorithm we have: its valid vectors are accepted, and everything else in the
// file is refused, whether it is valid for another algorithm or for none.
TEST(JwsVectors, TOK1_TOK4_AgreeWithWycheproof) {
  const auto vectors = test::LoadWycheproof("json_web_signature_test.json");
  if (!vectors) GTEST_SKIP() << test::kNoWycheproof;
  int checked = 0;
  int accepted = 0;
  for (const auto& group : vectors->at("testGroups")) {
    const bool is_ours = group.contains("public") && group.at("public").value("crv", "") == "P-256";
    for (const auto& vector : group.at("tests")) {
      const bool verified = group.contains("public") && VerifiesVector(group, vector);
      EXPECT_EQ(verified, is_ours && vector.at("result") == "valid")
          << "test " << vector.at("tcId") << " " << vector.at("comment");
      accepted += verified ? 1 : 0;
      ++checked;
    }
  }
  EXPECT_EQ(checked, vectors->at("numberOfTests").get<int>());
  EXPECT_EQ(accepted, 2);
}

}  // namespace
}  // namespace countersign::jose
