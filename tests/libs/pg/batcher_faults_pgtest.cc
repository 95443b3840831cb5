// The server refuses a batch: only the guilty caller may suffer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/libs/pg/counting.h"

namespace countersign::pg {
namespace {

using namespace std::chrono_literals;
using testing::SizeIs;

constexpr std::size_t kBatch = 64;
constexpr std::size_t kGuilty = 17;

class BatcherFaultsTest : public CountingTest {
 protected:
  // Submits 64 commands that become one batch, among them the guilty one, and waits for all.
  void RunOneBatch(const Add& guilty) {
    AddBatcher batcher(Settings(), {.connections = 1, .retry_connections = 2}, Watched());
    Plug(batcher);
    for (std::size_t i = 0; i < kBatch; ++i) {
      const Add add = i == kGuilty ? guilty : Draw(KeyOf(i));
      batcher.Submit(add.key, add, Soon(), answers_.For(i));
    }
    gate_.Open();
    answers_.Await(kBatch);
  }
  static std::string KeyOf(std::size_t i) { return "k" + std::to_string(i); }

  // The batch ran once, then each of its commands once more, alone and on another connection.
  void ExpectEachRetriedAloneElsewhere() {
    const auto runs = SeenRuns();
    ASSERT_THAT(runs, SizeIs(2 + kBatch));
    EXPECT_THAT(runs[1].commands, SizeIs(kBatch));
    for (std::size_t i = 2; i < runs.size(); ++i) {
      EXPECT_THAT(runs[i].commands, SizeIs(1));
      EXPECT_NE(runs[i].backend, runs[1].backend);
    }
  }
  void ExpectOnlyTheGuiltyFailedWith(const std::string& word) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      EXPECT_EQ(answers_.Word(i), i == kGuilty ? word : "ok") << "caller " << i;
      EXPECT_EQ(answers_.Value(i), i == kGuilty ? -1 : 1);
    }
    // Each counter stands at 1, so each stranger's command was run once.
    EXPECT_EQ(RowsDone(), kBatch - 1 + RowsDone(kPlug) + RowsDone("guilty"));
  }

  Answers answers_;
};

TEST_F(BatcherFaultsTest, OneCommandThatBreaksAConstraintFailsAlone) {
  RunOneBatch(Draw("guilty", kPoison));
  ExpectOnlyTheGuiltyFailedWith("INTERNAL");
  ExpectEachRetriedAloneElsewhere();
}

TEST_F(BatcherFaultsTest, ADuplicateFailsAlone) {
  const Add first = Draw("guilty");
  Connection db(Settings());
  ASSERT_THAT(RunAdd(db, {&first, 1}), SizeIs(1));
  RunOneBatch(first);
  ExpectOnlyTheGuiltyFailedWith("INTERNAL");
  EXPECT_EQ(RowsDone("guilty"), 1U);
}

TEST_F(BatcherFaultsTest, ATextWithNulThatWasNotCheckedFailsAloneAndIsNotCut) {
  RunOneBatch(Draw(std::string("gui\0lty", 7)));
  ExpectOnlyTheGuiltyFailedWith("FIELD_INVALID");
  EXPECT_EQ(RowsDone("gui"), 0U);
}

TEST_F(BatcherFaultsTest, ATextThatIsNoUtf8FailsAlone) {
  RunOneBatch(Draw("gui\xC3lty"));
  ExpectOnlyTheGuiltyFailedWith("FIELD_INVALID");
}

TEST_F(BatcherFaultsTest, TheErrorOfOneCommandDoesNotQuoteItsValue) {
  AddBatcher batcher(Settings(), kOneConnection,
                     {.statement = [](Connection& db, std::span<const Add> batch) {
                       constexpr Query kCast{"cast", "SELECT $1::text::integer"};
                       static_cast<void>(db.Execute(kCast, batch[0].key));
                       return AddOutcomes{};
                     }});
  std::string detail;
  Gate answered;
  batcher.Submit("k", Draw("no integer"), Soon(), [&](Result<int> answer) {
    detail = answer.error().detail;
    answered.Open();
  });
  answered.Pass();
  EXPECT_EQ(detail, "cast: SQLSTATE 22P02: data exception");
}

// Raises what another transaction would have caused, the first time each of the keys is run.
class ConflictTest : public BatcherFaultsTest {
 protected:
  [[nodiscard]] AddBatcher::Work FirstRefusedWith(const std::string& sqlstate) {
    return {.statement = [this, sqlstate](Connection& db, std::span<const Add> batch) {
      Note(db, batch);
      if (runs_++ == 0) {
        db.ExecuteScript("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '" + sqlstate + "'; END $$");
      }
      return RunAdd(db, batch);
    }};
  }
  std::atomic<int> runs_ = 0;
};

TEST_F(ConflictTest, ASingleCommandThatMetAConflictIsRunOnceMore) {
  for (const char* sqlstate : {"40001", "40P01"}) {
    runs_ = 0;
    Answers answers;
    AddBatcher batcher(Settings(), kOneConnection, FirstRefusedWith(sqlstate));
    batcher.Submit("k", Draw("k"), Soon(), answers.For(0));
    answers.Await(1);
    EXPECT_EQ(answers.Word(0), "ok") << sqlstate;
    EXPECT_EQ(runs_, 2);
  }
}

TEST_F(ConflictTest, ASingleCommandRefusedForAnythingElseIsNotRunAgain) {
  Answers answers;
  AddBatcher batcher(Settings(), kOneConnection, FirstRefusedWith("23514"));
  batcher.Submit("k", Draw("k"), Soon(), answers.For(0));
  answers.Await(1);
  EXPECT_EQ(answers.Word(0), "INTERNAL");
  EXPECT_EQ(runs_, 1);
}

TEST_F(BatcherFaultsTest, ARetriedCommandPastItsDeadlineIsNotSent) {
  Connection holder(Settings());
  holder.ExecuteScript("INSERT INTO counting.counters VALUES ('a', 0), ('b', 0)");
  holder.ExecuteScript("BEGIN; SELECT * FROM counting.counters WHERE key = 'a' FOR UPDATE");
  auto options = kOneConnection;
  options.patience = 0ms;
  AddBatcher batcher(Settings(), options, Watched());
  Plug(batcher);
  // The batch fails after 100 ms; then "a" is retried for another 100 ms, "b" behind it.
  batcher.Submit("a", Draw("a"), Soon(), answers_.For(0));
  batcher.Submit("b", Draw("b"), Soon(150ms), answers_.For(1));
  gate_.Open();
  answers_.Await(2);
  EXPECT_EQ(answers_.Word(0), "DEPENDENCY_UNAVAILABLE");
  EXPECT_EQ(answers_.Word(1), "DEADLINE_EXCEEDED");
  EXPECT_EQ(RowsDone("b"), 0U);
  holder.ExecuteScript("ROLLBACK");
}

}  // namespace
}  // namespace countersign::pg
