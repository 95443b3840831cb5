#include "libs/pg/page_size.h"

#include <gtest/gtest.h>

namespace countersign::pg {
namespace {

constexpr std::size_t kMebibyte = 1024 * 1024;

TEST(PageSizeTest, GrowsToTheMostForSmallRows) {
  PageSize size;
  EXPECT_EQ(size.next(), PageSize::kFirst);
  for (int page = 0; page < 5; ++page) size.Read(200UL * 100, 100);
  EXPECT_EQ(size.next(), PageSize::kMost);
}

TEST(PageSizeTest, AsksForFewLargeRowsAndAtLeastForOne) {
  PageSize size;
  size.Read(100 * kMebibyte, 100);
  EXPECT_EQ(size.next(), 4);
  size.Read(4 * 10 * kMebibyte, 4);
  EXPECT_EQ(size.next(), 1);
}

TEST(PageSizeTest, GrowsByStepsSinceTheNextRowsMayBeLargeAgain) {
  PageSize size;
  size.Read(10 * kMebibyte, 1);
  size.Read(200, 1);
  EXPECT_EQ(size.next(), 4);
  size.Read(4UL * 200, 4);
  EXPECT_EQ(size.next(), 16);
}

TEST(PageSizeTest, AnEmptyPageTeachesNothing) {
  PageSize size;
  size.Read(1'000, 0);
  EXPECT_EQ(size.next(), PageSize::kFirst);
}

}  // namespace
}  // namespace countersign::pg
