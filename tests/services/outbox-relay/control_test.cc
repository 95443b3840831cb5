#include "services/outbox-relay/control.h"

#include <gtest/gtest.h>

#include <stop_token>

namespace countersign::relay {
namespace {

constexpr Lsn kHere{100};

class ControlTest : public ::testing::Test {
 protected:
  void Lead() { control_.Say(Role::kLeads); }
  void ReadAll() {
    const auto drain = control_.WantsDrain();
    ASSERT_TRUE(drain);
    control_.AllRead(*drain);
  }
  [[nodiscard]] Mode Now() const { return control_.Look().mode; }

  int wishes_ = 0;
  Control control_{[this] { ++wishes_; }};
};

TEST_F(ControlTest, EachVerbTellsWhatItFound) {
  EXPECT_EQ(control_.Pause().mode, Mode::kRunning);
  EXPECT_EQ(control_.Pause().mode, Mode::kPaused);
  EXPECT_EQ(control_.Resume().mode, Mode::kPaused);
  EXPECT_EQ(control_.Resume().mode, Mode::kRunning);
  EXPECT_EQ(wishes_, 4);
}

TEST_F(ControlTest, APausedRelayReadsNothingAndAResumedOneGoesOn) {
  EXPECT_TRUE(control_.MayRead());
  (void)control_.Pause();
  EXPECT_FALSE(control_.MayRead());
  EXPECT_TRUE(control_.Look().paused_since);
  (void)control_.Resume();
  EXPECT_TRUE(control_.MayRead());
  EXPECT_FALSE(control_.Look().paused_since);
}

TEST_F(ControlTest, ADrainReadsToItsEndThenRestsAndIsOverOnlyWhenAllIsSettled) {
  (void)control_.Drain(kHere);
  EXPECT_TRUE(control_.MayRead());
  EXPECT_FALSE(control_.Settled()) << "nothing was read yet";
  ReadAll();
  EXPECT_FALSE(control_.MayRead());
  EXPECT_NE(Now(), Mode::kDrained);
  EXPECT_TRUE(control_.Settled());
  EXPECT_EQ(Now(), Mode::kDrained);
  EXPECT_FALSE(control_.Settled()) << "told once";
}

TEST_F(ControlTest, ADrainOfAPausedRelayReadsOn) {
  (void)control_.Pause();
  EXPECT_EQ(control_.Drain(kHere).mode, Mode::kPaused);
  EXPECT_TRUE(control_.MayRead());
}

TEST_F(ControlTest, ADrainThatIsGivenUpLeavesWhatWasBefore) {
  (void)control_.Drain(kHere);
  (void)control_.GiveUpDrain();
  EXPECT_EQ(Now(), Mode::kRunning);
  (void)control_.Pause();
  (void)control_.Drain(kHere);
  (void)control_.Drain(kHere);
  ReadAll();
  (void)control_.GiveUpDrain();
  EXPECT_EQ(Now(), Mode::kPaused);
  // Too late: it is over.
  (void)control_.Drain(kHere);
  ReadAll();
  EXPECT_TRUE(control_.Settled());
  (void)control_.GiveUpDrain();
  EXPECT_EQ(Now(), Mode::kDrained);
}

TEST_F(ControlTest, ALaterDrainIsNotSatisfiedByWhatWasReadForAnEarlierOne) {
  (void)control_.Drain(kHere);
  const auto first = control_.WantsDrain();
  (void)control_.Drain(Lsn{200});
  control_.AllRead(*first);
  EXPECT_EQ(Now(), Mode::kDraining);
  EXPECT_EQ(control_.WantsDrain()->target, Lsn{200});
}

// What was read before is read again, perhaps from an older checkpoint.
TEST_F(ControlTest, AConnectionThatIsLostBeforeTheEndBeginsTheDrainAgain) {
  Lead();
  (void)control_.Drain(kHere);
  ReadAll();
  control_.Say(Role::kConnecting);
  EXPECT_EQ(Now(), Mode::kDraining);
  EXPECT_FALSE(control_.Settled());
}

TEST_F(ControlTest, TheLastWordCounts) {
  (void)control_.Drain(kHere);
  (void)control_.Pause();
  EXPECT_EQ(Now(), Mode::kPaused);
  EXPECT_FALSE(control_.WantsDrain());
  (void)control_.Drain(kHere);
  (void)control_.Resume();
  EXPECT_EQ(Now(), Mode::kRunning);
}

TEST_F(ControlTest, OnlyALeaderStepsDownAndThenLeavesTheLockToOthers) {
  const std::stop_source term;
  control_.BeginTerm(term);
  EXPECT_NE(control_.StepDown().standing.role, Role::kLeads);
  EXPECT_FALSE(term.stop_requested());
  Lead();
  EXPECT_EQ(control_.StepDown().standing.role, Role::kLeads);
  EXPECT_TRUE(term.stop_requested());
  EXPECT_GT(control_.AsideUntil(), std::chrono::steady_clock::now());
}

}  // namespace
}  // namespace countersign::relay
