#include "services/otp/flows/send_lanes.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace countersign::otp {
namespace {

SubjectId Number(int n) {
  SubjectId subject{};
  subject.value.bytes[15] = static_cast<std::uint8_t>(n);
  return subject;
}

class Lanes : public ::testing::Test {
 protected:
  void Enter(int number, const std::string& name) {
    lanes_.Enter(Number(number), [this, name] { began_ += name; });
  }
  SendLanes lanes_{2};
  std::string began_;
};

TEST_F(Lanes, NoMoreCallsAtOnceThanSlots) {
  Enter(1, "a");
  Enter(2, "b");
  Enter(3, "c");
  EXPECT_EQ(began_, "ab");
  lanes_.GiveSlotBack();
  EXPECT_EQ(began_, "abc");
}

TEST_F(Lanes, OneSendOfANumberAtATimeInTheOrderTheyCame) {
  Enter(1, "a");
  Enter(1, "b");
  Enter(1, "c");
  EXPECT_EQ(began_, "a") << "though a slot is free";
  lanes_.GiveSlotBack();
  EXPECT_EQ(began_, "a") << "the call is over, but not what is recorded of it";
  lanes_.Leave(Number(1));
  EXPECT_EQ(began_, "ab");
  lanes_.GiveSlotBack();
  lanes_.Leave(Number(1));
  EXPECT_EQ(began_, "abc");
}

TEST_F(Lanes, WhoWaitsForHisNextAttemptIsNotOvertaken) {
  Enter(1, "a");
  Enter(1, "b");
  lanes_.GiveSlotBack();
  Enter(2, "c");
  lanes_.EnterAgain([this] { began_ += "A"; });
  EXPECT_EQ(began_, "acA");
}

TEST_F(Lanes, NothingBeginsWhileClosed) {
  lanes_.Close();
  Enter(1, "a");
  EXPECT_EQ(began_, "");
  lanes_.Open();
  EXPECT_EQ(began_, "a");
}

TEST_F(Lanes, AThousandThatLeaveAtOnceDoNotNest) {
  constexpr int kSends = 100'000;  // would overflow the stack
  int left = 0;
  lanes_.Close();
  for (int i = 0; i < kSends; ++i) {
    lanes_.Enter(Number(1), [&] {
      ++left;
      lanes_.GiveSlotBack();
      lanes_.Leave(Number(1));
    });
  }
  lanes_.Open();
  EXPECT_EQ(left, kSends);
}

TEST(LanesUnderThreads, EveryoneBeginsOnceAndSlotsHold) {
  constexpr int kThreads = 8;
  constexpr int kEach = 2'000;
  SendLanes lanes(3);
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  std::atomic<int> done = 0;
  std::array<std::atomic<int>, 16> of_number{};
  std::atomic<bool> twice = false;
  {
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          const int number = (t * 7 + i) % 16;
          lanes.Enter(Number(number), [&, number] {
            const int at_once = ++now;
            for (int seen = most; at_once > seen && !most.compare_exchange_weak(seen, at_once);) {
            }
            if (++of_number[static_cast<std::size_t>(number)] != 1) twice = true;
            --of_number[static_cast<std::size_t>(number)];
            --now;
            ++done;
            lanes.GiveSlotBack();
            lanes.Leave(Number(number));
          });
        }
      });
    }
  }
  EXPECT_EQ(done, kThreads * kEach);
  EXPECT_LE(most, 3);
  EXPECT_FALSE(twice);
}

}  // namespace
}  // namespace countersign::otp
