#include "libs/pg/batcher.h"

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
using testing::SizeIs;

using BatcherTest = CountingTest;

TEST_F(BatcherTest, AnswersABatchOfOne) {
  AddBatcher batcher(Settings(), {}, Watched());
  Answers answers;
  batcher.Submit("a", Draw("a", 3), Soon(), answers.For(0));
  answers.Await(1);
  EXPECT_EQ(answers.Value(0), 3);
}

TEST_F(BatcherTest, RunsWhatIsQueuedTogetherUpToTheLimit) {
  auto options = kOneConnection;
  options.max_batch = 64;
  AddBatcher batcher(Settings(), options, Watched());
  Plug(batcher);
  Answers answers;
  for (int i = 0; i < 100; ++i) {
    const std::string key = "k" + std::to_string(i);
    batcher.Submit(key, Draw(key, i), Soon(), answers.For(static_cast<std::size_t>(i)));
  }
  EXPECT_EQ(batcher.queued(), 100U);
  gate_.Open();
  answers.Await(100);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(answers.Value(static_cast<std::size_t>(i)), i);
  const auto runs = SeenRuns();
  ASSERT_THAT(runs, SizeIs(3));
  EXPECT_THAT(runs[1].commands, SizeIs(64));
  EXPECT_THAT(runs[2].commands, SizeIs(36));
}

// After a batch that had a crowd.
class PatientBatcherTest : public CountingTest {
 protected:
  void SubmitMany(AddBatcher& batcher, int from, int until) {
    for (int i = from; i < until; ++i) {
      const std::string key = "k" + std::to_string(i);
      batcher.Submit(key, Draw(key, i), Soon(), answers_.For(static_cast<std::size_t>(i)));
    }
  }
  BatcherOptions options_{.connections = 2, .crowd = 1, .worth_a_batch = 8, .gathering = 30s};
  Answers answers_;
};

TEST_F(PatientBatcherTest, CommandsAreGatheredUntilABatchIsWorthIt) {
  AddBatcher batcher(Settings(), options_, Watched());
  Plug(batcher);
  SubmitMany(batcher, 0, 7);
  EXPECT_EQ(batcher.queued(), 7U);
  SubmitMany(batcher, 7, 8);
  answers_.Await(8);  // by the second connection: the first one is still plugged
  EXPECT_THAT(SeenRuns().back().commands, SizeIs(8));
  gate_.Open();
}

TEST_F(PatientBatcherTest, WhereCallersAreFewNobodyWaitsForCompany) {
  options_.crowd = 2;
  AddBatcher batcher(Settings(), options_, Watched());
  Plug(batcher);  // with one command
  SubmitMany(batcher, 0, 1);
  answers_.Await(1);
  gate_.Open();
}

TEST_F(PatientBatcherTest, NobodyWaitsLongerThanTheGathering) {
  options_.gathering = 1ms;
  AddBatcher batcher(Settings(), options_, Watched());
  Plug(batcher);
  SubmitMany(batcher, 0, 1);
  answers_.Await(1);
  gate_.Open();
}

TEST_F(PatientBatcherTest, StopDoesNotWaitForMore) {
  AddBatcher batcher(Settings(), options_, Watched());
  Plug(batcher);
  SubmitMany(batcher, 0, 3);
  std::thread stopping([&] { batcher.Stop(); });
  gate_.Open();
  stopping.join();
  answers_.Await(3);
}

TEST_F(BatcherTest, SortsABatchByKey) {
  AddBatcher batcher(Settings(), kOneConnection, Watched());
  Plug(batcher);
  Answers answers;
  for (std::size_t i = 0; i < 26; ++i) {
    const std::string key(1, static_cast<char>('a' + i * 7 % 26));
    batcher.Submit(key, Draw(key), Soon(), answers.For(i));
  }
  gate_.Open();
  answers.Await(26);
  const auto runs = SeenRuns();
  ASSERT_THAT(runs, SizeIs(2));
  EXPECT_TRUE(std::ranges::is_sorted(runs[1].commands, {}, &Add::key));
}

TEST_F(BatcherTest, NeverHasTwoCommandsOfOneKeyInFlight) {
  constexpr std::size_t kThreads = 8;
  constexpr std::size_t kEach = 200;
  constexpr std::size_t kKeys = 5;
  std::array<std::atomic<int>, kKeys> in_flight{};
  AddBatcher batcher(Settings(), {.connections = 4}, {.statement = [&](Connection& db, auto batch) {
                       for (const Add& add : batch) {
                         EXPECT_EQ(in_flight[static_cast<std::size_t>(add.key[0] - 'a')]++, 0);
                       }
                       auto outcomes = RunAdd(db, batch);
                       for (const Add& add : batch) --in_flight[std::size_t(add.key[0] - 'a')];
                       return outcomes;
                     }});
  Answers answers;
  {
    std::vector<std::jthread> threads;
    for (std::size_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (std::size_t i = 0; i < kEach; ++i) {
          const std::string key(1, static_cast<char>('a' + (thread + i) % kKeys));
          Uuid id{};
          id.bytes[0] = static_cast<std::uint8_t>(thread);
          id.bytes[1] = static_cast<std::uint8_t>(i);
          batcher.Submit(key, {.id = id, .key = key}, Soon(), answers.For(thread * kEach + i));
        }
      });
    }
  }
  answers.Await(kThreads * kEach);
  EXPECT_EQ(answers.CountOf("ok"), kThreads * kEach);
  EXPECT_EQ(RowsDone(), kThreads * kEach);
}

// The reason of that rule: in one statement all guesses are compared with the same counter.
class GuessingTest : public CountingTest {
 protected:
  // How many of 64 queued guesses at one challenge are evaluated when five are allowed.
  std::size_t Evaluated(bool distinct_keys) {
    constexpr Query kGuess{"guess", R"sql(
      WITH wanted AS (SELECT * FROM unnest($1::text[]) WITH ORDINALITY AS w (key, position)),
      counted AS (
        UPDATE counting.counters c SET total = c.total + 1 FROM wanted w
         WHERE c.key = w.key AND c.total < 5 RETURNING c.key)
      SELECT EXISTS (SELECT 1 FROM counted c WHERE c.key = w.key) FROM wanted w ORDER BY w.position
    )sql"};
    Connection(Settings())
        .ExecuteScript("INSERT INTO counting.counters VALUES ('challenge', 0), ('plug', 0)");
    auto options = kOneConnection;
    options.distinct_keys = distinct_keys;
    AddBatcher batcher(Settings(), options, {.statement = [&](Connection& db, auto batch) {
                         if (batch[0].key == kPlug) gate_.Pass();
                         AddOutcomes outcomes;
                         for (const auto row : db.Execute(kGuess, Column(batch, &Add::key))) {
                           outcomes.emplace_back(Result<int>(row.template Get<bool>(0) ? 1 : 0));
                         }
                         return outcomes;
                       }});
    Plug(batcher);
    Answers answers;
    for (std::size_t i = 0; i < 64; ++i) {
      batcher.Submit("challenge", Draw("challenge"), Soon(), answers.For(i));
    }
    gate_.Open();
    answers.Await(64);
    std::size_t evaluated = 0;
    for (std::size_t i = 0; i < 64; ++i) evaluated += answers.Value(i) == 1 ? 1 : 0;
    return evaluated;
  }
};

TEST_F(GuessingTest, SixtyFourQueuedGuessesAtOneChallengeAreCountedOneByOne) {
  EXPECT_EQ(Evaluated(true), 5U);
}

TEST_F(GuessingTest, WithoutDistinctKeysTheSameStatementEvaluatesThemAll) {
  EXPECT_EQ(Evaluated(false), 64U);
}

TEST_F(BatcherTest, RefusesBeyondTheQueueAndCountsThoseBehindTheirKey) {
  auto options = kOneConnection;
  options.max_queue = 10;
  AddBatcher batcher(Settings(), options, Watched());
  Plug(batcher);
  Answers answers;
  for (std::size_t i = 0; i < 12; ++i) batcher.Submit("k", Draw("k"), Soon(), answers.For(i));
  EXPECT_EQ(answers.Word(10), "OVERLOADED");
  EXPECT_EQ(answers.Word(11), "OVERLOADED");
  gate_.Open();
  answers.Await(12);
  EXPECT_EQ(answers.CountOf("ok"), 10U);
  EXPECT_EQ(RowsDone("k"), 10U);
}

TEST_F(BatcherTest, ACallPastItsDeadlineNeverEnters) {
  AddBatcher batcher(Settings(), kOneConnection, Watched());
  Answers answers;
  batcher.Submit("late", Draw("late"), Soon(0ms), answers.For(0));
  EXPECT_EQ(answers.Word(0), "DEADLINE_EXCEEDED");

  Plug(batcher);
  const auto deadline = Soon(20ms);
  batcher.Submit("late", Draw("late"), deadline, answers.For(1));
  batcher.Submit("late", Draw("late"), Soon(), answers.For(2));  // its key must be freed
  std::this_thread::sleep_until(deadline);
  gate_.Open();
  answers.Await(3);
  EXPECT_EQ(answers.Word(1), "DEADLINE_EXCEEDED");
  EXPECT_EQ(answers.Word(2), "ok");
  EXPECT_EQ(RowsDone("late"), 1U);
}

TEST_F(BatcherTest, RefusesATextBeforeItIsQueued) {
  auto work = Watched();
  work.check = [](const Add& add) -> std::optional<Error> {
    if (add.key.find('\0') == std::string::npos && add.key.size() <= 10) return std::nullopt;
    return Error{.reason = &reasons::kFieldInvalid, .field = "key"};
  };
  AddBatcher batcher(Settings(), kOneConnection, std::move(work));
  Answers answers;
  batcher.Submit("a", Draw(std::string("a\0b", 3)), Soon(), answers.For(0));
  batcher.Submit("a", Draw("a text too long"), Soon(), answers.For(1));
  EXPECT_EQ(answers.Word(0), "FIELD_INVALID");
  EXPECT_EQ(answers.Word(1), "FIELD_INVALID");
  EXPECT_THAT(SeenRuns(), SizeIs(0));
}

// A statement whose snapshot cannot decide "undecided" for the first `times` runs.
class UndecidedTest : public CountingTest {
 protected:
  [[nodiscard]] AddBatcher::Work Undecided(int times) {
    return {.statement = [this, times](Connection& db, std::span<const Add> batch) {
      Note(db, batch);
      AddOutcomes outcomes;
      for (const Add& add : batch) {
        if (add.key == kPlug) gate_.Pass();
        if (add.key == "undecided" && runs_++ < times) {
          outcomes.emplace_back(TryAgain{});
        } else {
          outcomes.push_back(std::move(RunAdd(db, {&add, 1})[0]));
        }
      }
      return outcomes;
    }};
  }
  std::atomic<int> runs_ = 0;
};

TEST_F(UndecidedTest, ACommandGoesOnceIntoTheNextBatchAndThoseBehindItsKeyWait) {
  AddBatcher batcher(Settings(), kOneConnection, Undecided(1));
  Answers answers;
  Plug(batcher);
  batcher.Submit("undecided", Draw("undecided"), Soon(), answers.For(0));
  batcher.Submit("undecided", Draw("undecided"), Soon(), answers.For(1));
  batcher.Submit("other", Draw("other"), Soon(), answers.For(2));
  gate_.Open();
  answers.Await(3);
  EXPECT_EQ(answers.Value(0), 1);
  EXPECT_EQ(answers.Value(1), 2);
  EXPECT_EQ(answers.Value(2), 1);
  EXPECT_EQ(runs_, 3);
}

TEST_F(UndecidedTest, ACommandUndecidedTwiceIsRefused) {
  AddBatcher batcher(Settings(), kOneConnection, Undecided(100));
  Answers answers;
  batcher.Submit("undecided", Draw("undecided"), Soon(), answers.For(0));
  answers.Await(1);
  EXPECT_EQ(answers.Word(0), "DEPENDENCY_UNAVAILABLE");
  EXPECT_EQ(runs_, 2);
}

TEST_F(BatcherTest, BatchesOfSeveralProcessesOverTheSameRowsDoNotDeadlock) {
  constexpr std::size_t kEach = 1000;
  std::atomic<int> failed = 0;
  BatcherOptions options{.connections = 2};
  options.observe = [&](const BatchReport& report) { failed += report.failed ? 1 : 0; };
  auto settings = Settings();
  settings.lock_timeout = 2s;
  Answers answers;
  {
    AddBatcher first(settings, options, {.statement = RunAdd});
    AddBatcher second(settings, options, {.statement = RunAdd});
    for (std::size_t i = 0; i < kEach; ++i) {
      const std::string forth = "k" + std::to_string(i % 32);
      const std::string back = "k" + std::to_string(31 - i % 32);
      first.Submit(forth, Draw(forth), Soon(), answers.For(2 * i));
      second.Submit(back, Draw(back), Soon(), answers.For(2 * i + 1));
    }
    answers.Await(2 * kEach);
  }
  EXPECT_EQ(answers.CountOf("ok"), 2 * kEach);
  EXPECT_EQ(failed, 0);
}

TEST_F(BatcherTest, ReportsEveryStatement) {
  std::mutex mutex;
  std::vector<std::size_t> sizes;
  auto options = kOneConnection;
  options.observe = [&](const BatchReport& report) {
    const std::lock_guard lock(mutex);
    EXPECT_FALSE(report.failed);
    EXPECT_GT(report.took.count(), 0);
    sizes.push_back(report.commands);
  };
  Answers answers;
  {
    AddBatcher batcher(Settings(), options, Watched());
    Plug(batcher);
    for (std::size_t i = 0; i < 3; ++i) {
      const std::string key(1, static_cast<char>('a' + i));
      batcher.Submit(key, Draw(key), Soon(), answers.For(i));
    }
    gate_.Open();
  }
  EXPECT_THAT(sizes, testing::ElementsAre(1U, 3U));
}

TEST_F(BatcherTest, StopAnswersEverythingItAcceptedAndRefusesTheRest) {
  AddBatcher batcher(Settings(), {.connections = 2}, Watched());
  Answers answers;
  std::atomic<std::size_t> submitted = 0;
  {
    constexpr int kThreads = 4;
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&](const std::stop_token& stop) {
        SystemRandom random;
        while (!stop.stop_requested() && submitted < 20'000) {
          const std::size_t caller = submitted++;
          const std::string key = "k" + std::to_string(caller % 100);
          batcher.Submit(key, {.id = RandomUuid(random), .key = key}, Soon(), answers.For(caller));
        }
      });
    }
    answers.Await(500);
    batcher.Stop();
    const auto answered = answers.count();
    for (auto& thread : threads) thread.request_stop();
    threads.clear();
    EXPECT_GE(answers.count(), answered);
  }
  EXPECT_EQ(answers.count(), submitted);
  EXPECT_EQ(RowsDone(), answers.CountOf("ok"));
  EXPECT_EQ(answers.CountOf("ok") + answers.CountOf("DEPENDENCY_UNAVAILABLE") +
                answers.CountOf("OVERLOADED"),
            submitted);
  Answers after;
  batcher.Submit("k", Draw("k"), Soon(), after.For(0));
  EXPECT_EQ(after.Word(0), "DEPENDENCY_UNAVAILABLE");
  batcher.Stop();
}

TEST_F(BatcherTest, StopAnswersThoseWhoWaitBehindTheirKey) {
  Answers answers;
  {
    AddBatcher batcher(Settings(), kOneConnection, Watched());
    Plug(batcher);
    for (std::size_t i = 0; i < 5; ++i) batcher.Submit("k", Draw("k"), Soon(), answers.For(i));
    gate_.Open();
  }
  EXPECT_EQ(answers.CountOf("ok"), 5U);
}

TEST_F(BatcherTest, RefusesAMalformedConnectionStringAtOnce) {
  const ConnectionSettings settings{.conninfo = Secret<std::string>("no connection string")};
  EXPECT_THROW(AddBatcher(settings, {}, {.statement = RunAdd}), std::invalid_argument);
}

}  // namespace
}  // namespace countersign::pg
