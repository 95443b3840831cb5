#include "services/auth/domain/session.h"

#include <gtest/gtest.h>

#include <string>

namespace countersign::auth {
namespace {

UserId User(std::uint8_t n) {
  UserId id{};
  id.value.bytes[0] = n;
  return id;
}
SessionState Live() {
  return {.user_id = User(1),
          .status = AccountStatus::kActive,
          .role = "user",
          .ended = false,
          .read_at = {}};
}

TEST(SessionTest, ItsHolderMayActWhileItLives) { EXPECT_EQ(RefusalOf(Live(), User(1)), nullptr); }

TEST(SessionTest, NobodyMayActInAnEndedOne) {
  auto session = Live();
  session.ended = true;
  EXPECT_EQ(RefusalOf(session, User(1)), &reasons::kSessionEnded);
}

TEST(SessionTest, AnotherPersonIsToldNothingButThatItEnded) {
  EXPECT_EQ(RefusalOf(Live(), User(2)), &reasons::kSessionEnded);
  auto suspended = Live();
  suspended.status = AccountStatus::kSuspended;
  EXPECT_EQ(RefusalOf(suspended, User(2)), &reasons::kSessionEnded);
}

TEST(SessionTest, ASuspendedHolderIsToldSo) {
  auto session = Live();
  session.status = AccountStatus::kSuspended;
  EXPECT_EQ(RefusalOf(session, User(1)), &reasons::kAccountSuspended);
}

TEST(SessionTest, AccountsThatAreNotActiveHaveNoSession) {
  for (const auto status : {AccountStatus::kPending, AccountStatus::kDeleted}) {
    auto session = Live();
    session.status = status;
    EXPECT_EQ(RefusalOf(session, User(1)), &reasons::kSessionEnded);
  }
}

// I8: what was not read is not alive.
TEST(SessionTest, AStateThatNobodyFilledInIsEnded) {
  EXPECT_EQ(RefusalOf(SessionState{}, UserId{}), &reasons::kSessionEnded);
}

TEST(RefreshVerdictTest, ReadsTheWordsOfItsStatement) {
  EXPECT_EQ(ParseRefreshVerdict("rotated"), RefreshVerdict::kRotated);
  EXPECT_EQ(ParseRefreshVerdict("repeated"), RefreshVerdict::kRepeated);
  EXPECT_EQ(ParseRefreshVerdict("reused"), RefreshVerdict::kReused);
  EXPECT_EQ(ParseRefreshVerdict("ended"), RefreshVerdict::kEnded);
  EXPECT_EQ(ParseRefreshVerdict("expired"), RefreshVerdict::kExpired);
  EXPECT_EQ(ParseRefreshVerdict("suspended"), RefreshVerdict::kSuspended);
  for (const char* word : {"", "Rotated", "unknown"}) {
    EXPECT_EQ(ParseRefreshVerdict(word), std::nullopt);
  }
}

TEST(RefreshVerdictTest, OnlyTheNewestAndItsRepetitionGetAToken) {
  EXPECT_EQ(RefusalOf(RefreshVerdict::kRotated), nullptr);
  EXPECT_EQ(RefusalOf(RefreshVerdict::kRepeated), nullptr);
  EXPECT_EQ(RefusalOf(RefreshVerdict::kReused), &reasons::kRefreshTokenReused);
  EXPECT_EQ(RefusalOf(RefreshVerdict::kEnded), &reasons::kSessionEnded);
  EXPECT_EQ(RefusalOf(RefreshVerdict::kExpired), &reasons::kTokenExpired);
  EXPECT_EQ(RefusalOf(RefreshVerdict::kSuspended), &reasons::kAccountSuspended);
  EXPECT_NE(RefusalOf(static_cast<RefreshVerdict>(99)), nullptr);
}

TEST(EndVerdictTest, ReadsTheWordsOfItsStatement) {
  EXPECT_EQ(ParseEndVerdict("ended"), EndVerdict::kEnded);
  EXPECT_EQ(ParseEndVerdict("ended_before"), EndVerdict::kEndedBefore);
  EXPECT_EQ(ParseEndVerdict("token_expired"), EndVerdict::kTokenExpired);
  EXPECT_EQ(ParseEndVerdict(""), std::nullopt);
  EXPECT_EQ(ParseEndVerdict("rotated"), std::nullopt);
}

}  // namespace
}  // namespace countersign::auth
