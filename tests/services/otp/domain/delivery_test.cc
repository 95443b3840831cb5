#include "services/otp/domain/delivery.h"

#include <gtest/gtest.h>

namespace countersign::otp {
namespace {

using std::chrono::milliseconds;

TEST(Delivery, WordsComeBackAndOthersAreNone) {
  for (const char* word :
       {"received", "sending", "sent", "failed", "unknown", "expired", "superseded", "decoy"}) {
    const auto state = ParseDeliveryState(word);
    ASSERT_TRUE(state.has_value()) << word;
    EXPECT_EQ(ToString(*state), word);
  }
  EXPECT_EQ(ParseDeliveryState("done"), std::nullopt);
}

TEST(Delivery, IsOverUnlessItWaitsOrIsUnderWay) {
  EXPECT_FALSE(IsOver(DeliveryState::kReceived));
  EXPECT_FALSE(IsOver(DeliveryState::kSending));
  for (const auto state :
       {DeliveryState::kSent, DeliveryState::kFailed, DeliveryState::kUnknown,
        DeliveryState::kExpired, DeliveryState::kSuperseded, DeliveryState::kDecoy}) {
    EXPECT_TRUE(IsOver(state)) << ToString(state);
  }
}

TEST(Delivery, I4_OnlyACallThatNeverHappenedIsMadeAgain) {
  EXPECT_EQ(Decide(CallResult::kSent), (AfterCall{.state = DeliveryState::kSent}));
  EXPECT_EQ(Decide(CallResult::kRejected), (AfterCall{.state = DeliveryState::kFailed}));
  EXPECT_EQ(Decide(CallResult::kUnknown), (AfterCall{.state = DeliveryState::kUnknown}));
  EXPECT_EQ(Decide(CallResult::kNotSent),
            (AfterCall{.state = DeliveryState::kReceived, .tell = false}));
}

TEST(Delivery, AMisconfiguredProviderBurnsNoMessageAndHaltsTheRest) {
  EXPECT_EQ(Decide(CallResult::kMisconfigured),
            (AfterCall{.state = DeliveryState::kReceived, .tell = false, .halts = true}));
}

TEST(Delivery, WaitsAsLongAsTheProviderAsks) {
  EXPECT_EQ(RetryPause(1, milliseconds(3'000)), milliseconds(3'000));
  EXPECT_EQ(RetryPause(9, milliseconds(1)), milliseconds(1));
}

TEST(Delivery, WaitsLongerWithEveryAttemptButNotForEver) {
  EXPECT_EQ(RetryPause(1, milliseconds(0)), milliseconds(500));
  EXPECT_EQ(RetryPause(2, milliseconds(0)), milliseconds(1'000));
  EXPECT_EQ(RetryPause(5, milliseconds(0)), milliseconds(8'000));
  EXPECT_EQ(RetryPause(6, milliseconds(0)), milliseconds(15'000));
  EXPECT_EQ(RetryPause(1'000, milliseconds(0)), milliseconds(15'000));
}

}  // namespace
}  // namespace countersign::otp
