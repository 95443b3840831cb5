#include "libs/core/uuid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace countersign {
namespace {

class SettableClock final : public Clock {
 public:
  explicit SettableClock(Instant now) : now_(now) {}
  [[nodiscard]] Instant Now() const override { return now_; }
  void Set(Instant now) { now_ = now; }

 private:
  Instant now_;
};

TEST(Uuid, ReadsBackWhatItPrints) {
  SystemRandom random;
  const Uuid uuid = RandomUuid(random);
  EXPECT_EQ(ParseUuid(ToString(uuid)), uuid);
}

TEST(Uuid, RefusesAnythingButTheCanonicalForm) {
  for (const char* text :
       {"", "0", "01890a5d-ac96-774b-bcce-b302099a805", "x1890a5d-ac96-774b-bcce-b302099a8057",
        "01890a5dac96774bbcceb302099a8057----", "{1890a5d-ac96-774b-bcce-b302099a805}"}) {
    EXPECT_FALSE(ParseUuid(text)) << text;
  }
}

TEST(UuidV7, CarriesVersionVariantAndMilliseconds) {
  SettableClock clock{Instant{std::chrono::milliseconds{0x0123456789AB}}};
  SystemRandom random;
  UuidV7 ids(clock, random);
  const std::string text = ToString(ids.Next());
  EXPECT_EQ(text.substr(0, 15), "01234567-89ab-7");
  EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos);
}

TEST(UuidV7, A9_AMillionIdsFromFourThreadsAreUniqueAndEachThreadSeesThemRise) {
  SystemClock clock;
  SystemRandom random;
  UuidV7 ids(clock, random);
  std::vector<std::vector<Uuid>> made(4);
  {
    std::vector<std::jthread> threads;
    threads.reserve(made.size());
    for (auto& mine : made) {
      threads.emplace_back([&ids, &mine] {
        mine.reserve(250'000);
        for (int i = 0; i < 250'000; ++i) mine.push_back(ids.Next());
      });
    }
  }
  std::vector<Uuid> all;
  for (const auto& mine : made) {
    EXPECT_TRUE(std::ranges::is_sorted(mine));
    all.insert(all.end(), mine.begin(), mine.end());
  }
  std::ranges::sort(all);
  EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
}

TEST(UuidV7, A9_AClockThatStepsBackDoesNotMakeIdsGoBack) {
  SettableClock clock{Instant{std::chrono::seconds{1'700'000'000}}};
  SystemRandom random;
  UuidV7 ids(clock, random);
  const Uuid before = ids.Next();
  clock.Set(Instant{std::chrono::seconds{1'600'000'000}});
  EXPECT_GT(ids.Next(), before);
}

}  // namespace
}  // namespace countersign
