#include "services/outbox-relay/domain/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace countersign::relay {
namespace {

TEST(SnapshotTest, ReadsWhatPostgresqlWrites) {
  const auto quiet = ReadSnapshot("795:795:");
  ASSERT_TRUE(quiet);
  EXPECT_EQ(quiet->xmin, 795U);
  EXPECT_EQ(quiet->xmax, 795U);
  EXPECT_TRUE(quiet->running.empty());
  const auto busy = ReadSnapshot("795:9000000000:795,797");
  ASSERT_TRUE(busy);
  EXPECT_EQ(busy->xmax, 9'000'000'000U);
  EXPECT_THAT(busy->running, testing::ElementsAre(795U, 797U));
}

TEST(SnapshotTest, AnythingElseIsNone) {
  for (const char* text : {"", "795", "snapshot"}) EXPECT_FALSE(ReadSnapshot(text)) << text;
}

}  // namespace
}  // namespace countersign::relay
