#include "libs/keystore/key_ring.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "libs/core/random.h"
#include "tests/support/keys/keys.h"

namespace countersign::keystore {
namespace {

using namespace std::chrono_literals;

constexpr Instant kNoon{std::chrono::sys_days{std::chrono::year(2026) / 11 / 24} + 12h};
constexpr Reloading kAlways{.at_most_every = 0ms, .at_least_every = 30'000ms};

class KeyRingTest : public testing::Test {
 protected:
  void Add(const std::string& id) {
    ASSERT_TRUE(CreateKeyFile(folder_.path() / (id + ".key"), random_.Bytes(32)));
  }

  test::TemporaryFolder folder_;
  test::FixedClock clock_{kNoon};
  SystemRandom random_;
};

TEST_F(KeyRingTest, MakesNewThingsWithTheGreatestId) {
  Add("20261001");
  Add("20261123");
  MacRing ring(folder_.path(), CurrentKey::kGreatestId, clock_);
  EXPECT_EQ(ring.Current()->id, "20261123");
  EXPECT_EQ(ring.All().size(), 2U);
  EXPECT_NE(ring.Find("20261001"), nullptr);
}

TEST_F(KeyRingTest, SeesAnUnknownIdThatWasAddedLater) {
  Add("20261123");
  MacRing ring(folder_.path(), CurrentKey::kGreatestId, clock_, kAlways);
  Add("20261124");
  const auto found = ring.Find("20261124");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->id, "20261124");
  EXPECT_EQ(ring.Current()->id, "20261124");
}

TEST_F(KeyRingTest, ReadsTheFolderAtMostOnceInAWhileForUnknownIds) {
  Add("20261123");
  MacRing ring(folder_.path(), CurrentKey::kGreatestId, clock_,
               {.at_most_every = std::chrono::hours(1), .at_least_every = std::chrono::hours(1)});
  Add("20261124");
  EXPECT_EQ(ring.Find("20261124"), nullptr);
}

TEST_F(KeyRingTest, NeverMakesAPathOfAnId) {
  Add("20261123");
  MacRing ring(folder_.path(), CurrentKey::kGreatestId, clock_, kAlways);
  for (const char* id : {"../20261123", "20261123.key", "/etc/passwd", "", "."}) {
    EXPECT_EQ(ring.Find(id), nullptr) << id;
  }
}

TEST_F(KeyRingTest, PassesToTheNextDaysKeyAtMidnightUtc) {
  Add("20261124");
  Add("20261125");
  Add("20261126");
  SealingRing ring(folder_.path(), CurrentKey::kOfTheDay, clock_);
  EXPECT_EQ(ring.Current()->id, "20261124");
  clock_.Set(kNoon + 12h - std::chrono::microseconds(1));
  EXPECT_EQ(ring.Current()->id, "20261124");
  clock_.Set(kNoon + 12h);
  EXPECT_EQ(ring.Current()->id, "20261125");
}

TEST_F(KeyRingTest, KeepsTheLastDaysKeyWhenTodaysIsMissing) {
  Add("20261122");
  SealingRing ring(folder_.path(), CurrentKey::kOfTheDay, clock_, kAlways);
  EXPECT_EQ(ring.Current()->id, "20261122");
  Add("20261124");
  EXPECT_EQ(ring.Current()->id, "20261124");
}

TEST_F(KeyRingTest, DoesNotStartWithoutACurrentKey) {
  EXPECT_THROW(MacRing(folder_.path(), CurrentKey::kGreatestId, clock_), KeyFault);
  Add("20261125");
  EXPECT_THROW(SealingRing(folder_.path(), CurrentKey::kOfTheDay, clock_), KeyFault);
  EXPECT_THROW(MacRing(folder_.path() / "absent", CurrentKey::kGreatestId, clock_), KeyFault);
}

TEST_F(KeyRingTest, SEC1_DoesNotStartWithAnExampleOrZeroKey) {
  Add("20261123");
  ASSERT_TRUE(CreateKeyFile(folder_.path() / "20261101.key", Bytes(32, 0)));
  EXPECT_THROW(MacRing(folder_.path(), CurrentKey::kGreatestId, clock_), KeyFault);
}

TEST_F(KeyRingTest, SEC1_DoesNotStartWithAKeyThatOthersCanRead) {
  Add("20261123");
  std::filesystem::permissions(folder_.path() / "20261123.key", std::filesystem::perms::group_read,
                               std::filesystem::perm_options::add);
  EXPECT_THROW(MacRing(folder_.path(), CurrentKey::kGreatestId, clock_), KeyFault);
}

TEST_F(KeyRingTest, KeepsItsKeysWhenAReloadFindsAFaultAndSaysSo) {
  Add("20261123");
  MacRing ring(folder_.path(), CurrentKey::kGreatestId, clock_, kAlways);
  ASSERT_TRUE(CreateKeyFile(folder_.path() / "20261124.key", Bytes(32, 0)));
  EXPECT_EQ(ring.Find("20261124"), nullptr);
  EXPECT_EQ(ring.Current()->id, "20261123");
  EXPECT_NE(ring.LastFault().find("20261124.key"), std::string::npos);
  std::filesystem::remove(folder_.path() / "20261124.key");
  EXPECT_TRUE(ring.Reload());
  EXPECT_EQ(ring.LastFault(), "");
}

TEST_F(KeyRingTest, ForgetsAKeyThatWasRemoved) {
  Add("20261122");
  Add("20261123");
  MacRing ring(folder_.path(), CurrentKey::kGreatestId, clock_,
               {.at_most_every = 0ms, .at_least_every = 0ms});
  const auto in_use = ring.Find("20261122");
  ASSERT_NE(in_use, nullptr);
  std::filesystem::remove(folder_.path() / "20261122.key");
  EXPECT_EQ(ring.Find("20261122"), nullptr);
  EXPECT_EQ(in_use->id, "20261122") << "a handle outlives the ring's share";
}

TEST_F(KeyRingTest, IsUsedAndReloadedByManyThreads) {
  Add("20261123");
  MacRing ring(folder_.path(), CurrentKey::kGreatestId, clock_, kAlways);
  constexpr int kThreads = 4;
  std::vector<std::jthread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        EXPECT_NE(ring.Current(), nullptr);
        EXPECT_NE(ring.Find("20261123"), nullptr);
        EXPECT_EQ(ring.Find(t == 0 ? "unknown" : "neither"), nullptr);
      }
    });
  }
}

}  // namespace
}  // namespace countersign::keystore
