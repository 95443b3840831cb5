#include "services/auth/domain/access_token.h"

#include <gtest/gtest.h>

#include "libs/jose/claims.h"
#include "libs/jose/jws.h"
#include "tests/services/auth/tokens/issued.h"

namespace countersign::auth {
namespace {

TEST(Methods, AreOneTextInTheDatabase) {
  EXPECT_EQ(JoinMethods({"otp", "sms"}), "otp sms");
  EXPECT_EQ(SplitMethods("otp sms"), (std::vector<std::string>{"otp", "sms"}));
  EXPECT_EQ(SplitMethods(" otp  sms "), (std::vector<std::string>{"otp", "sms"}));
  EXPECT_TRUE(SplitMethods("").empty());
}

TEST(AccessToken, TOK3_HasEveryClaimOfRfc9068) {
  Issued issued;
  const AccessGrant grant = issued.Grant();
  const IssuedAccessToken token = issued.Issue(grant);
  const auto jws = jose::UnverifiedJws::Parse(token.token.Reveal());
  ASSERT_TRUE(jws);
  EXPECT_EQ(jws->header().typ, "at+jwt");
  EXPECT_EQ(jws->header().kid, issued.keys.Current()->key_id);
  const auto payload = jws->Verify(issued.ring.Current()->material.Public());
  ASSERT_TRUE(payload);
  const auto claims = jose::ParseClaims(*payload);
  ASSERT_TRUE(claims);
  EXPECT_EQ(*jose::TextClaim(*claims, "iss"), kIssuer);
  EXPECT_EQ(*jose::TextClaim(*claims, "sub"), ToString(grant.user_id));
  EXPECT_EQ(*jose::TextClaim(*claims, "sid"), ToString(grant.session_id));
  EXPECT_EQ(jose::NumberClaim(*claims, "iat"), 1'795'500'000);
  EXPECT_EQ(jose::NumberClaim(*claims, "exp"), 1'795'500'900);
  EXPECT_EQ(*jose::TextListClaim(*claims, "amr"), grant.methods);
  EXPECT_EQ(token.expires_at, kNow + std::chrono::minutes(15));
}

TEST(AccessToken, TOK16_HasNothingButOpaqueClaims) {
  Issued issued;
  const auto jws = jose::UnverifiedJws::Parse(issued.Token());
  ASSERT_TRUE(jws);
  const auto payload = jws->Verify(issued.ring.Current()->material.Public());
  ASSERT_TRUE(payload);
  const auto claims = jose::ParseClaims(*payload);
  ASSERT_TRUE(claims);
  std::vector<std::string> names;
  for (const auto& [name, value] : *claims) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"amr", "aud", "client_id", "exp", "iat", "iss", "jti",
                                             "role", "sid", "sub"}));
}

TEST(AccessToken, NeverOutlivesItsSession) {
  Issued issued;
  AccessGrant grant = issued.Grant();
  grant.session_expires_at = kNow + std::chrono::seconds(90);
  EXPECT_EQ(issued.Issue(grant).expires_at, kNow + std::chrono::seconds(90));
}

TEST(AccessToken, HasAnIdOfItsOwn) {
  Issued issued;
  const AccessGrant grant = issued.Grant();
  EXPECT_NE(issued.Issue(grant).token.Reveal(), issued.Issue(grant).token.Reveal());
}

}  // namespace
}  // namespace countersign::auth
