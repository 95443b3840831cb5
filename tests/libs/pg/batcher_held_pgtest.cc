// Somebody holds a row: only the caller of that row waits for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "tests/libs/pg/counting.h"

namespace countersign::pg {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBatch = 64;
constexpr std::size_t kGuilty = 17;
constexpr char kHeld[] = "held";

class BatcherHeldTest : public CountingTest {
 protected:
  void SetUp() override {
    CountingTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    holder_ = std::make_unique<Connection>(Settings());
    holder_->ExecuteScript("INSERT INTO counting.counters VALUES ('held', 0)");
    holder_->ExecuteScript("BEGIN; SELECT * FROM counting.counters WHERE key = 'held' FOR UPDATE");
  }
  void GiveBackTheRow() { holder_->ExecuteScript("ROLLBACK"); }

  // One retry connection, the harshest case: whoever keeps it keeps it from everybody.
  [[nodiscard]] static BatcherOptions Patient(std::chrono::milliseconds patience) {
    auto options = kOneConnection;
    options.patience = patience;
    return options;
  }
  // Submits 64 commands that become one batch, the guilty one among them.
  void SubmitOneBatch(AddBatcher& batcher) {
    Plug(batcher);
    for (std::size_t i = 0; i < kBatch; ++i) {
      const std::string key = i == kGuilty ? kHeld : "k" + std::to_string(i);
      batcher.Submit(key, Draw(key), Soon(60s), answers_.For(i));
    }
    gate_.Open();
  }
  [[nodiscard]] std::size_t TriesOfTheGuiltyAlone() {
    const auto runs = SeenRuns();
    return static_cast<std::size_t>(std::ranges::count_if(runs, [](const Seen& run) {
      return run.commands.size() == 1 && run.commands[0].key == kHeld;
    }));
  }
  // Until a lock_timeout has passed so often for the guilty alone; fails the test after 20 s.
  void AwaitTriesOfTheGuilty(std::size_t count) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (TriesOfTheGuiltyAlone() <= count) {
      ASSERT_LT(std::chrono::steady_clock::now(), end);
      std::this_thread::sleep_for(1ms);
    }
  }

  std::unique_ptr<Connection> holder_;
  Answers answers_;
};

TEST_F(BatcherHeldTest, ARowHeldForLongerThanTheLockTimeoutCostsItsCallerTimeAndNobodyAnything) {
  AddBatcher batcher(Settings(), Patient(60s), Watched());
  SubmitOneBatch(batcher);
  const auto began = std::chrono::steady_clock::now();
  answers_.Await(kBatch - 1);
  // Twice the lock_timeout and what 63 statements cost, not the holder's pleasure.
  EXPECT_LT(std::chrono::steady_clock::now() - began, 2s);
  EXPECT_EQ(answers_.CountOf("ok"), kBatch - 1);
  EXPECT_EQ(answers_.Word(kGuilty), "nothing");
  AwaitTriesOfTheGuilty(3);
  EXPECT_EQ(answers_.Word(kGuilty), "nothing");
  GiveBackTheRow();
  answers_.Await(kBatch);
  EXPECT_EQ(answers_.Value(kGuilty), 1);
  EXPECT_EQ(RowsDone(kHeld), 1U);
}

TEST_F(BatcherHeldTest, ARowHeldBeyondAllPatienceFailsItsCallerAlone) {
  AddBatcher batcher(Settings(), Patient(500ms), Watched());
  SubmitOneBatch(batcher);
  answers_.Await(kBatch);
  for (std::size_t i = 0; i < kBatch; ++i) {
    EXPECT_EQ(answers_.Word(i), i == kGuilty ? "DEPENDENCY_UNAVAILABLE" : "ok") << "caller " << i;
    EXPECT_EQ(answers_.Value(i), i == kGuilty ? -1 : 1);
  }
  EXPECT_GE(TriesOfTheGuiltyAlone(), 2U);
  GiveBackTheRow();
  // Each counter stands at 1, so each stranger's command was run once, and the guilty's never.
  EXPECT_EQ(RowsDone(), kBatch - 1 + RowsDone(kPlug));
  EXPECT_EQ(RowsDone(kHeld), 0U);
}

TEST_F(BatcherHeldTest, WithoutPatienceEachIsRetriedOnceAloneAndElsewhere) {
  AddBatcher batcher(Settings(), Patient(0ms), Watched());
  SubmitOneBatch(batcher);
  answers_.Await(kBatch);
  EXPECT_EQ(answers_.Word(kGuilty), "DEPENDENCY_UNAVAILABLE");
  const auto runs = SeenRuns();
  ASSERT_EQ(runs.size(), 2 + kBatch);
  EXPECT_EQ(runs[1].commands.size(), kBatch);
  for (std::size_t i = 2; i < runs.size(); ++i) {
    EXPECT_EQ(runs[i].commands.size(), 1U);
    EXPECT_NE(runs[i].backend, runs[1].backend);
  }
}

TEST_F(BatcherHeldTest, ThoseOfALaterBatchNeedNotWaitForTheRow) {
  AddBatcher batcher(Settings(), Patient(60s), Watched());
  batcher.Submit(kHeld, Draw(kHeld), Soon(60s), answers_.For(kBatch));
  AwaitTriesOfTheGuilty(1);
  Plug(batcher);
  // Separated for a reason of its own, and so on the retry connection with the one that waits.
  for (std::size_t i = 0; i < kBatch; ++i) {
    const std::string key = "k" + std::to_string(i);
    batcher.Submit(key, Draw(key, i == kGuilty ? kPoison : 1), Soon(60s), answers_.For(i));
  }
  gate_.Open();
  answers_.Await(kBatch);
  EXPECT_EQ(answers_.CountOf("ok"), kBatch - 1);
  EXPECT_EQ(answers_.Word(kGuilty), "INTERNAL");
  EXPECT_EQ(answers_.Word(kBatch), "nothing");
  GiveBackTheRow();
  answers_.Await(kBatch + 1);
  EXPECT_EQ(answers_.Word(kBatch), "ok");
}

TEST_F(BatcherHeldTest, CommandsOfTheHeldRowKeepTheirOrder) {
  AddBatcher batcher(Settings(), Patient(60s), Watched());
  for (std::size_t i = 0; i < 5; ++i) {
    batcher.Submit(kHeld, Draw(kHeld), Soon(60s), answers_.For(i));
  }
  AwaitTriesOfTheGuilty(2);
  GiveBackTheRow();
  answers_.Await(5);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(answers_.Value(i), static_cast<int>(i) + 1);
}

TEST_F(BatcherHeldTest, NobodyWaitsForARowBeyondTheOwnDeadline) {
  AddBatcher batcher(Settings(), Patient(60s), Watched());
  batcher.Submit(kHeld, Draw(kHeld), Soon(500ms), answers_.For(0));
  answers_.Await(1);
  EXPECT_EQ(answers_.Word(0), "DEADLINE_EXCEEDED");
  GiveBackTheRow();
  EXPECT_EQ(RowsDone(kHeld), 0U);
}

TEST_F(BatcherHeldTest, AStopWaitsForWhoeverWaitsForARow) {
  {
    AddBatcher batcher(Settings(), Patient(500ms), Watched());
    batcher.Submit(kHeld, Draw(kHeld), Soon(60s), answers_.For(0));
    AwaitTriesOfTheGuilty(1);
  }
  EXPECT_EQ(answers_.Word(0), "DEPENDENCY_UNAVAILABLE");
}

}  // namespace
}  // namespace countersign::pg
