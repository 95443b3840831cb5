#include "libs/keystore/provision.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <set>

#include "libs/keystore/key_directory.h"
#include "libs/keystore/key_ring.h"
#include "tests/support/keys/keys.h"

namespace countersign::keystore {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr Instant kNoon{std::chrono::sys_days{std::chrono::year(2026) / 12 / 31} + 12h};

class ProvisionTest : public testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> Days() const {
    std::vector<std::string> ids;
    for (const KeyFile& file : ListKeyFiles(ring_)) ids.push_back(file.id);
    return ids;
  }

  test::TemporaryFolder folder_;
  fs::path ring_ = folder_.path();
  test::FixedClock clock_{kNoon};
  SystemRandom random_;
};

TEST_F(ProvisionTest, MakesEveryRingThatAFreshInstallationNeeds) {
  const fs::path root = folder_.path() / "keys";
  const auto made = GenerateAll(root, clock_, random_);
  EXPECT_EQ(made.size(), kAllRings.size() - 1 + 1 + kRecipientDaysAhead);
  SealingRing recipient(root / kRecipientRing, CurrentKey::kOfTheDay, clock_);
  SealingRing person(root / kPersonRing, CurrentKey::kGreatestId, clock_);
  SigningRing signing(root / kSigningRing, CurrentKey::kGreatestId, clock_);
  for (const std::string_view ring : {kPhoneRing, kCodeRing, kClaimRing, kRefreshRing}) {
    EXPECT_EQ(MacRing(root / ring, CurrentKey::kGreatestId, clock_).Current()->id, "20261231");
  }
  for (const fs::path& path : made) {
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U) << path;
    ASSERT_EQ(::stat(path.parent_path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700U) << path;
  }
}

TEST_F(ProvisionTest, LeavesKeysThatAreThere) {
  const fs::path root = folder_.path() / "keys";
  const auto made = GenerateAll(root, clock_, random_);
  const Bytes before = ReadKeyFile(made.front()).Reveal();
  EXPECT_TRUE(GenerateAll(root, clock_, random_).empty());
  EXPECT_EQ(ReadKeyFile(made.front()).Reveal(), before);
}

TEST_F(ProvisionTest, MakesNoTwoKeysAlike) {
  const fs::path root = folder_.path() / "keys";
  std::set<Bytes> contents;
  const auto made = GenerateAll(root, clock_, random_);
  for (const fs::path& path : made) contents.insert(ReadKeyFile(path).Reveal());
  EXPECT_EQ(contents.size(), made.size());
}

TEST_F(ProvisionTest, MakesDailyKeysAheadOverTheTurnOfTheYear) {
  const DailyChange change = EnsureDaily(ring_, 2, 3, clock_, random_);
  EXPECT_EQ(change.created, (std::vector<std::string>{"20261231", "20270101", "20270102"}));
  EXPECT_TRUE(change.destroyed.empty());
  EXPECT_TRUE(EnsureDaily(ring_, 2, 3, clock_, random_).created.empty());
}

TEST_F(ProvisionTest, DestroysDailyKeysWhoseDaysAreOver) {
  std::ignore = EnsureDaily(ring_, 2, 3, clock_, random_);
  clock_.Set(kNoon + 24h * 4);
  const DailyChange change = EnsureDaily(ring_, 1, 3, clock_, random_);
  EXPECT_EQ(change.destroyed, (std::vector<std::string>{"20261231"}));
  EXPECT_EQ(Days(), (std::vector<std::string>{"20270101", "20270102", "20270104", "20270105"}));
  for (const auto& entry : fs::directory_iterator(ring_)) {
    EXPECT_EQ(entry.path().extension(), ".key") << "nothing of a destroyed key is left";
  }
}

TEST_F(ProvisionTest, NeverDestroysAKeyWithAnotherKindOfName) {
  ASSERT_TRUE(CreateKeyFile(ring_ / "2020.key", random_.Bytes(32)));
  EXPECT_TRUE(EnsureDaily(ring_, 0, 3, clock_, random_).destroyed.empty());
}

TEST_F(ProvisionTest, AddsAKeyThatBecomesCurrent) {
  const fs::path root = folder_.path() / "keys";
  std::ignore = GenerateAll(root, clock_, random_);
  std::ignore = AddKey(root, kRefreshRing, clock_, random_);
  MacRing ring(root / kRefreshRing, CurrentKey::kGreatestId, clock_);
  EXPECT_EQ(ring.Current()->id, "20261231T120000");
  EXPECT_NE(ring.Find("20261231"), nullptr);
  EXPECT_THROW(std::ignore = AddKey(root, kRefreshRing, clock_, random_), KeyFault);
}

}  // namespace
}  // namespace countersign::keystore
