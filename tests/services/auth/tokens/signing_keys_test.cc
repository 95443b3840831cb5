#include "services/auth/tokens/signing_keys.h"

#include <gtest/gtest.h>

#include "tests/services/auth/tokens/issued.h"

namespace countersign::auth {
namespace {

TEST(SigningKeys, AreKnownByThumbprint) {
  Issued issued;
  const auto current = issued.keys.Current();
  EXPECT_EQ(current->key_id, jose::Thumbprint(current->handle->material.Public()));
  EXPECT_EQ(issued.keys.Find(current->key_id), current);
  EXPECT_EQ(issued.keys.Find(current->handle->id), nullptr)
      << "a file name is no key id of a token";
  EXPECT_EQ(issued.keys.Find(""), nullptr);
}

TEST(SigningKeys, TOK6_TwoAreLiveDuringARotation) {
  Issued issued;
  const auto before = issued.keys.Current();
  test::FixedClock later(kNow + std::chrono::hours(48));
  std::ignore =
      keystore::AddKey(issued.folder.path(), keystore::kSigningRing, later, issued.random);
  const auto after = issued.keys.Current();
  EXPECT_NE(before->key_id, after->key_id);
  EXPECT_NE(issued.keys.Find(before->key_id), nullptr);
  EXPECT_EQ(issued.keys.Public().size(), 2U);
}

TEST(SigningKeys, TOK5_ArePublishedWithoutAnythingSymmetricOrPrivate) {
  Issued issued;
  const auto published = issued.keys.Public();
  ASSERT_EQ(published.size(), 1U);
  EXPECT_EQ(published[0].kty, "EC");
  EXPECT_EQ(published[0].alg, "ES256");
  EXPECT_EQ(published[0].kid, issued.keys.Current()->key_id);
}

}  // namespace
}  // namespace countersign::auth
