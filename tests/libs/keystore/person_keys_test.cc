#include "libs/keystore/person_keys.h"

#include <gtest/gtest.h>

#include "libs/crypto/sealed_box.h"
#include "tests/support/keys/keys.h"

namespace countersign::keystore {
namespace {

class PersonKeysTest : public testing::Test {
 protected:
  SystemClock clock_;
  SystemRandom random_;
  test::KeyFolder folder_{clock_};
  SealingRing kek_{folder_.Ring(kPersonRing),
                   CurrentKey::kGreatestId,
                   clock_,
                   {.at_most_every = std::chrono::milliseconds(0),
                    .at_least_every = std::chrono::milliseconds(0)}};
  PersonKeys keys_{kek_, random_};
  Uuid ada_ = RandomUuid(random_);
  Uuid bob_ = RandomUuid(random_);
};

TEST_F(PersonKeysTest, OpenWhatWasSealedForThePerson) {
  const MadePersonKey made = keys_.Make(ada_);
  const std::string text = keys_.Seal(made.key, ada_, "Ada", "event-1/sealed_personal");
  const auto sealed = crypto::ParseSealedBox(text);
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sealed->key_id, ToString(ada_));

  const auto key = keys_.Unwrap(ada_, made.wrapped);
  ASSERT_TRUE(key);
  EXPECT_EQ(crypto::OpenSealedBox(*key, *sealed, "event-1/sealed_personal"), "Ada");
  EXPECT_FALSE(crypto::OpenSealedBox(*key, *sealed, "event-2/sealed_personal"));
}

TEST_F(PersonKeysTest, AreOfOnePersonOnly) {
  const MadePersonKey made = keys_.Make(ada_);
  EXPECT_FALSE(keys_.Unwrap(bob_, made.wrapped));
}

TEST_F(PersonKeysTest, PII1_AreGoneOnceErased) {
  WrappedPersonKey wrapped = keys_.Make(ada_).wrapped;
  wrapped.wrapped.clear();
  EXPECT_FALSE(keys_.Unwrap(ada_, wrapped));
}

TEST_F(PersonKeysTest, SurviveARotationOfTheKeyTheyAreWrappedUnder) {
  const MadePersonKey before = keys_.Make(ada_);
  test::FixedClock later(clock_.Now() + std::chrono::hours(48));
  std::ignore = AddKey(folder_.path(), kPersonRing, later, random_);
  const MadePersonKey after = keys_.Make(bob_);
  EXPECT_NE(before.wrapped.kek_id, after.wrapped.kek_id);
  EXPECT_TRUE(keys_.Unwrap(ada_, before.wrapped));
  EXPECT_TRUE(keys_.Unwrap(bob_, after.wrapped));
}

TEST_F(PersonKeysTest, CannotBeSaidToBeWrappedUnderAnotherKey) {
  WrappedPersonKey wrapped = keys_.Make(ada_).wrapped;
  test::FixedClock later(clock_.Now() + std::chrono::hours(48));
  std::ignore = AddKey(folder_.path(), kPersonRing, later, random_);
  wrapped.kek_id = kek_.Current()->id;
  EXPECT_FALSE(keys_.Unwrap(ada_, wrapped));
}

}  // namespace
}  // namespace countersign::keystore
