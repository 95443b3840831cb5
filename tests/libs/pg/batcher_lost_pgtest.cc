// The connection is lost: nobody is answered wrongly, nothing is retried blindly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/libs/pg/counting.h"
#include "tests/support/tcp_proxy.h"

namespace countersign::pg {
namespace {

using namespace std::chrono_literals;

constexpr Query kTerminate{"terminate", "SELECT pg_terminate_backend($1)"};

class BatcherLostTest : public CountingTest {
 protected:
  void SetUp() override {
    CountingTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    constexpr Query kPort{"port", "SELECT inet_server_port()"};
    const auto port = Connection(Settings()).Execute(kPort).Only().Get<std::uint16_t>(0);
    proxy_ = std::make_unique<support::TcpProxy>(port);
  }
  // The database by way of the proxy.
  [[nodiscard]] ConnectionSettings ByProxy() const {
    auto settings = Settings();
    settings.conninfo =
        Secret(WithKeyword(settings.conninfo.Reveal(), "port", std::to_string(proxy_->port())));
    return settings;
  }
  // Watched, and calls `before` for every run of "k" commands, with its number from 1.
  [[nodiscard]] AddBatcher::Work Disturbed(std::function<void(Connection&, int)> before) {
    auto work = Watched();
    work.statement = [this, watched = std::move(work.statement), before = std::move(before)](
                         Connection& db, std::span<const Add> batch) {
      if (batch[0].key != kPlug) before(db, ++runs_);
      return watched(db, batch);
    };
    return work;
  }
  static void AwaitGone(int backend) {
    Connection db(Settings());
    constexpr Query kThere{"there", "SELECT count(*) FROM pg_stat_activity WHERE pid = $1"};
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (db.Execute(kThere, backend).Only().Get<int>(0) > 0) {
      ASSERT_LT(std::chrono::steady_clock::now(), end);
      std::this_thread::sleep_for(1ms);
    }
  }
  // So that the next statement is only executed, not prepared.
  static void PrepareAdd(Connection& db) {
    constexpr Query kNothing{"add", kAdd.sql};
    db.Execute(kNothing, Array<Uuid>(), Array<std::string>(), Array<int>());
  }
  static void AwaitConnected(const AddBatcher& batcher, std::size_t count) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (batcher.connected() != count) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << batcher.connected() << " are connected";
      std::this_thread::sleep_for(1ms);
    }
  }
  void SubmitBatch(AddBatcher& batcher, std::size_t count) {
    Plug(batcher);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string key = "k" + std::to_string(i);
      batcher.Submit(key, Draw(key), Soon(), answers_.For(i));
    }
    gate_.Open();
    answers_.Await(count);
  }

  std::unique_ptr<support::TcpProxy> proxy_;
  Answers answers_;
  std::atomic<int> runs_ = 0;
};

TEST_F(BatcherLostTest, AnAnswerLostAfterTheCommitIsFoundByItsIds) {
  AddBatcher batcher(ByProxy(), kOneConnection, Disturbed([this](Connection& db, int run) {
                       if (run == 1) PrepareAdd(db), proxy_->LoseNextAnswer();
                     }));
  SubmitBatch(batcher, 20);
  EXPECT_FALSE(proxy_->WaitsToLose());
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(answers_.Value(i), 1);
  EXPECT_EQ(RowsDone(), 21U);
  EXPECT_EQ(runs_, 1);
}

TEST_F(BatcherLostTest, AnIdleBatcherNoticesThatTheServerWentAndCameBack) {
  AddBatcher batcher(ByProxy(), {.connections = 3}, Watched());
  AwaitConnected(batcher, 3);
  proxy_->Refuse(true);
  AwaitConnected(batcher, 0);
  proxy_->Refuse(false);
  AwaitConnected(batcher, 3);
}

TEST_F(BatcherLostTest, WithoutALookupTheOutcomeIsUnknownAndNothingRunsTwice) {
  auto work = Disturbed([this](Connection& db, int run) {
    if (run == 1) PrepareAdd(db), proxy_->LoseNextAnswer();
  });
  work.lookup = nullptr;
  AddBatcher batcher(ByProxy(), kOneConnection, std::move(work));
  SubmitBatch(batcher, 20);
  EXPECT_EQ(answers_.CountOf("OUTCOME_UNKNOWN"), 20U);
  EXPECT_EQ(RowsDone(), 21U);
  EXPECT_EQ(runs_, 1);
}

TEST_F(BatcherLostTest, WhatTheLookupDoesNotFindIsUnknown) {
  AddBatcher batcher(Settings(), kOneConnection, Disturbed([](Connection& db, int run) {
                       if (run > 1) return;
                       // Killed at the start of its statement: nothing is committed.
                       Connection(Settings()).Execute(kTerminate, db.BackendPid());
                       constexpr Query kWait{"wait", "SELECT pg_sleep(10)"};
                       db.Execute(kWait);
                     }));
  SubmitBatch(batcher, 20);
  EXPECT_EQ(answers_.CountOf("OUTCOME_UNKNOWN") + answers_.CountOf("ok"), 20U);
  EXPECT_EQ(RowsDone() - 1, answers_.CountOf("ok"));
}

TEST_F(BatcherLostTest, ABackendKilledInTheMiddleOfItsStatementLeavesTheOutcomeUnknown) {
  Connection holder(Settings());
  holder.ExecuteScript("INSERT INTO counting.counters VALUES ('k3', 0)");
  holder.ExecuteScript("BEGIN; SELECT * FROM counting.counters WHERE key = 'k3' FOR UPDATE");
  auto settings = Settings();
  settings.lock_timeout = 20s;
  settings.statement_timeout = 20s;
  std::atomic<int> backend = 0;
  AddBatcher batcher(settings, kOneConnection, Disturbed([&](Connection& db, int) {
                       PrepareAdd(db);
                       backend = db.BackendPid();
                     }));
  const std::jthread killer([&] {
    Connection db(Settings());
    constexpr Query kWaits{"waits",
                           "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND "
                           "wait_event_type = 'Lock'"};
    while (backend == 0 || db.Execute(kWaits, backend.load()).Only().Get<int>(0) == 0) {
      std::this_thread::yield();
    }
    db.Execute(kTerminate, backend.load());
  });
  SubmitBatch(batcher, 20);
  EXPECT_EQ(answers_.CountOf("OUTCOME_UNKNOWN"), 20U);
  EXPECT_EQ(RowsDone(), 1U);
  EXPECT_EQ(runs_, 1);
  holder.ExecuteScript("ROLLBACK");
}

TEST_F(BatcherLostTest, WithTheServerAwayForTheLookupTooTheOutcomeIsUnknown) {
  AddBatcher batcher(ByProxy(), kOneConnection, Disturbed([this](Connection& db, int run) {
                       if (run > 1) return;
                       PrepareAdd(db);
                       proxy_->Refuse(true);
                     }));
  SubmitBatch(batcher, 20);
  EXPECT_EQ(answers_.CountOf("OUTCOME_UNKNOWN") + answers_.CountOf("DEPENDENCY_UNAVAILABLE"), 20U);
  EXPECT_EQ(RowsDone(), 1U);
}

TEST_F(BatcherLostTest, AConnectionLostBeforeTheStatementWasSentIsReplacedUnnoticed) {
  AddBatcher batcher(Settings(), kOneConnection, Watched());
  Plug(batcher);
  gate_.Open();
  plug_.Await(1);
  Connection(Settings()).Execute(kTerminate, SeenRuns()[0].backend);
  AwaitGone(SeenRuns()[0].backend);
  batcher.Submit("k", Draw("k"), Soon(), answers_.For(0));
  answers_.Await(1);
  EXPECT_EQ(answers_.Word(0), "ok");
}

TEST_F(BatcherLostTest, AConnectionLostWhileTheStatementIsPreparedHasDoneNothingAndIsRunOnceMore) {
  AddBatcher batcher(ByProxy(), kOneConnection, Disturbed([this](Connection&, int run) {
                       if (run == 1) proxy_->LoseNextAnswer();
                     }));
  batcher.Submit("k", Draw("k"), Soon(), answers_.For(0));
  answers_.Await(1);
  EXPECT_FALSE(proxy_->WaitsToLose());
  EXPECT_EQ(answers_.Word(0), "ok");
  EXPECT_EQ(runs_, 2);
}

TEST_F(BatcherLostTest, AStatementThatChangesNothingIsRunOnceMoreAndOnlyOnce) {
  auto options = kOneConnection;
  options.read_only = true;
  for (const int losses : {1, 2}) {
    std::atomic<int> runs = 0;
    AddBatcher batcher(ByProxy(), options, {.statement = [&](Connection& db, auto batch) {
                         constexpr Query kRead{"read", "SELECT 42 FROM unnest($1::text[])"};
                         db.Execute(kRead, Array<std::string>());
                         if (++runs <= losses) proxy_->LoseNextAnswer();
                         AddOutcomes outcomes;
                         for (const auto row : db.Execute(kRead, Column(batch, &Add::key))) {
                           outcomes.emplace_back(Result<int>(row.template Get<int>(0)));
                         }
                         return outcomes;
                       }});
    Answers answers;
    batcher.Submit("k", Draw("k"), Soon(), answers.For(0));
    answers.Await(1);
    EXPECT_EQ(answers.Word(0), losses == 1 ? "ok" : "DEPENDENCY_UNAVAILABLE");
    EXPECT_EQ(runs, 2);
  }
}

TEST_F(BatcherLostTest, WhileTheServerIsAwayCallersAreRefusedAtOnceAndLaterServedAgain) {
  AddBatcher batcher(ByProxy(), {.connections = 2}, Watched());
  AwaitConnected(batcher, 2);
  batcher.Submit("k", Draw("k"), Soon(), answers_.For(0));
  answers_.Await(1);
  proxy_->Refuse(true);
  const auto began = std::chrono::steady_clock::now();
  for (std::size_t i = 1; i <= 50; ++i) batcher.Submit("k", Draw("k"), Soon(), answers_.For(i));
  answers_.Await(51);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 3s);
  // The news of the cut may reach a connection only after its statement was sent.
  EXPECT_LE(answers_.CountOf("OUTCOME_UNKNOWN"), 2U);
  EXPECT_EQ(answers_.CountOf("DEPENDENCY_UNAVAILABLE") + answers_.CountOf("OUTCOME_UNKNOWN"), 50U);
  // One that is idle learns of the cut by itself, which takes it a moment.
  AwaitConnected(batcher, 0);
  proxy_->Refuse(false);
  AwaitConnected(batcher, 2);
  batcher.Submit("k", Draw("k"), Soon(), answers_.For(51));
  answers_.Await(52);
  EXPECT_EQ(answers_.Value(51), 2);
}

TEST_F(BatcherLostTest, StopEndsWithTheServerAway) {
  proxy_->Refuse(true);
  {
    AddBatcher batcher(ByProxy(), {}, Watched());
    for (std::size_t i = 0; i < 10; ++i) batcher.Submit("k", Draw("k"), Soon(), answers_.For(i));
  }
  EXPECT_EQ(answers_.CountOf("DEPENDENCY_UNAVAILABLE"), 10U);
}

// Connections are lost at random moments under load; in the end every row is explained.
TEST_F(BatcherLostTest, UnderAStormOfLostConnectionsNobodyIsAnsweredWrongly) {
  constexpr std::size_t kCallers = 16;
  constexpr std::size_t kEach = 100;
  std::vector<Uuid> ids(kCallers * kEach);
  for (auto& id : ids) id = RandomUuid(random_);
  int losses = 0;
  {
    AddBatcher batcher(ByProxy(), {.connections = 3}, Watched());
    std::vector<std::jthread> callers;
    for (std::size_t caller = 0; caller < kCallers; ++caller) {
      callers.emplace_back([&, caller] {
        for (std::size_t i = caller * kEach; i < (caller + 1) * kEach; ++i) {
          const std::string key = "k" + std::to_string(i % 7);
          Gate answered;
          batcher.Submit(key, {.id = ids[i], .key = key}, Soon(20s), [&, i](Result<int> answer) {
            answers_.For(i)(std::move(answer));
            answered.Open();
          });
          answered.Pass();
        }
      });
    }
    // Each blow falls when some more were answered, so that work goes on between them.
    for (std::size_t next = 40; next < ids.size(); next += 20, ++losses) {
      answers_.Await(next);
      if (losses % 2 == 0) proxy_->Cut();
      if (losses % 2 == 1) proxy_->LoseNextAnswer();
    }
    callers.clear();
    EXPECT_EQ(answers_.count(), ids.size());
  }
  Connection db(Settings());
  std::size_t found = 0;
  std::size_t unknown = 0;
  for (std::size_t caller = 0; caller < ids.size(); ++caller) {
    const auto rows = db.Execute(kFindAdded, Column(std::span(&ids[caller], 1)));
    const auto total = rows.Only().Get<std::optional<int>>(0);
    found += total ? 1 : 0;
    const auto word = answers_.Word(caller);
    if (word == "ok") {
      EXPECT_EQ(answers_.Value(caller), total.value_or(-1));
    } else if (word == "DEPENDENCY_UNAVAILABLE") {
      EXPECT_FALSE(total) << "told as not done, but done";
    } else {
      EXPECT_EQ(word, "OUTCOME_UNKNOWN");
      ++unknown;
    }
  }
  constexpr Query kSum{"sum", "SELECT coalesce(sum(total), 0) FROM counting.counters"};
  EXPECT_EQ(db.Execute(kSum).Only().Get<std::size_t>(0), found) << "a command ran twice";
  EXPECT_GT(answers_.CountOf("ok"), ids.size() / 2);
  RecordProperty("losses", losses);
  RecordProperty("unknown", static_cast<int>(unknown));
}

}  // namespace
}  // namespace countersign::pg
