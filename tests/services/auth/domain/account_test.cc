#include "services/auth/domain/account.h"

#include <gtest/gtest.h>

namespace countersign::auth {
namespace {

TEST(AccountStatusTest, ReadsTheWordsOfRows) {
  EXPECT_EQ(ParseAccountStatus("pending"), AccountStatus::kPending);
  EXPECT_EQ(ParseAccountStatus("active"), AccountStatus::kActive);
  EXPECT_EQ(ParseAccountStatus("suspended"), AccountStatus::kSuspended);
  EXPECT_EQ(ParseAccountStatus("deleted"), AccountStatus::kDeleted);
}

// I8: a word it does not know must not become a status, least of all an active one.
TEST(AccountStatusTest, KnowsNoOtherWord) {
  for (const char* word : {"", "Active", "active ", "unknown", "activ"}) {
    EXPECT_EQ(ParseAccountStatus(word), std::nullopt) << word;
  }
}

}  // namespace
}  // namespace countersign::auth
