#include "libs/pg/pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <set>
#include <thread>

#include "libs/core/random.h"
#include "libs/core/uuid.h"
#include "libs/pg/transaction.h"
#include "tests/support/database.h"
#include "tests/support/forgiven_leaks.h"

namespace countersign::pg {
namespace {

using namespace std::chrono_literals;

Deadline Soon(std::chrono::milliseconds time = 10s) {
  return std::chrono::steady_clock::now() + time;
}

void Terminate(const ConnectionSettings& settings, int backend) {
  constexpr Query kTerminate{"terminate", "SELECT pg_terminate_backend($1, 5000)"};
  Connection(settings).Execute(kTerminate, backend);
}

using PoolTest = support::PgTest;

TEST_F(PoolTest, LendsTheSameConnectionAgain) {
  Pool pool(Settings());
  const int first = (*pool.Acquire(Soon()))->BackendPid();
  EXPECT_EQ((*pool.Acquire(Soon()))->BackendPid(), first);
}

TEST_F(PoolTest, NeverHasMoreConnectionsThanAllowed) {
  Pool pool(Settings(), {.connections = 3});
  std::atomic<int> lent = 0;
  std::mutex mutex;
  std::set<int> backends;
  {
    constexpr int kThreads = 12;
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) {
          const auto lease = pool.Acquire(Soon());
          ASSERT_TRUE(lease);
          EXPECT_LE(++lent, 3);
          {
            const std::lock_guard lock(mutex);
            backends.insert((*lease)->BackendPid());
          }
          --lent;
        }
      });
    }
  }
  EXPECT_LE(backends.size(), 3U);
}

TEST_F(PoolTest, ACallerWaitsNoLongerThanItsDeadline) {
  Pool pool(Settings(), {.connections = 1});
  const auto held = pool.Acquire(Soon());
  const auto began = std::chrono::steady_clock::now();
  const auto refused = pool.Acquire(Soon(50ms));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, &reasons::kDeadlineExceeded);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 50ms);
}

TEST_F(PoolTest, BeyondTheWaitingOnesACallerIsRefusedAtOnce) {
  Pool pool(Settings(), {.connections = 1, .max_waiting = 1});
  auto held = std::make_unique<Result<Pool::Lease>>(pool.Acquire(Soon()));
  // Two callers for the one place to wait: one of them is refused at once, again and again.
  std::atomic<bool> served = false;
  const std::jthread waiting([&] {
    while (!served) {
      served = pool.Acquire(Soon()).has_value();
      std::this_thread::yield();
    }
  });
  std::optional<Result<Pool::Lease>> second;
  do {
    second.emplace(pool.Acquire(Soon(1ms)));
    ASSERT_FALSE(*second);
  } while (second->error().reason == &reasons::kDeadlineExceeded);
  EXPECT_EQ(second->error().reason, &reasons::kOverloaded);
  EXPECT_FALSE(served);
  held.reset();
}

TEST_F(PoolTest, ReplacesAConnectionThatWasLostWhileIdle) {
  Pool pool(Settings());
  const int first = (*pool.Acquire(Soon()))->BackendPid();
  Terminate(Settings(), first);
  const auto lease = pool.Acquire(Soon());
  EXPECT_NE((*lease)->BackendPid(), first);
  constexpr Query kOne{"one", "SELECT 1"};
  EXPECT_EQ((*lease)->Execute(kOne).Only().Get<int>(0), 1);
}

TEST_F(PoolTest, AConnectionLostWhileLentIsNotKept) {
  Pool pool(Settings(), {.connections = 1});
  int first = 0;
  {
    const auto lease = pool.Acquire(Soon());
    first = (*lease)->BackendPid();
    Terminate(Settings(), first);
    constexpr Query kOne{"one", "SELECT 1"};
    EXPECT_THROW((*lease)->Execute(kOne), Unavailable);
  }
  EXPECT_NE((*pool.Acquire(Soon()))->BackendPid(), first);
}

TEST_F(PoolTest, AConnectionThatCannotBeMadeCostsNoPlace) {
  auto settings = Settings();
  settings.conninfo = Secret(WithKeyword(settings.conninfo.Reveal(), "dbname", "nowhere"));
  Pool pool(settings, {.connections = 1});
  for (int i = 0; i < 3; ++i) {
    EXPECT_THROW(static_cast<void>(pool.Acquire(Soon(100ms))), Unavailable);
  }
}

class TransactionTest : public support::PgTest {
 protected:
  void SetUp() override {
    PgTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    Connection(Settings())
        .ExecuteScript("CREATE TABLE IF NOT EXISTS noted (id uuid PRIMARY KEY); TRUNCATE noted");
  }
  [[nodiscard]] static std::size_t Count() {
    constexpr Query kCount{"count", "SELECT count(*) FROM noted"};
    return Connection(Settings()).Execute(kCount).Only().Get<std::size_t>(0);
  }
  static constexpr Query kNote{"note", "INSERT INTO noted VALUES ($1)"};
  static constexpr Query kFail{"fail", "SELECT 1 / $1::integer"};
  SystemRandom random_;
};

TEST_F(TransactionTest, CommitsAValueAndRollsAnErrorBack) {
  Pool pool(Settings());
  const auto kept = InTransaction(pool, Soon(), [&](Transaction& transaction) -> Result<int> {
    transaction.Execute(kNote, RandomUuid(random_));
    return 1;
  });
  EXPECT_TRUE(kept);
  EXPECT_EQ(Count(), 1U);
  const auto refused = InTransaction(pool, Soon(), [&](Transaction& transaction) -> Result<int> {
    transaction.Execute(kNote, RandomUuid(random_));
    return Fail(reasons::kCodeRejected);
  });
  EXPECT_FALSE(refused);
  EXPECT_EQ(Count(), 1U);
}

TEST_F(TransactionTest, RollsBackWhatAFaultInterrupted) {
  Pool pool(Settings());
  EXPECT_THROW(static_cast<void>(InTransaction(pool, Soon(),
                                               [&](Transaction& transaction) -> Result<int> {
                                                 transaction.Execute(kNote, RandomUuid(random_));
                                                 transaction.Execute(kFail, 0);
                                                 return 1;
                                               })),
               Refused);
  EXPECT_EQ(Count(), 0U);
  constexpr Query kState{"state", "SELECT count(*) FROM noted"};
  EXPECT_EQ((*pool.Acquire(Soon()))->Execute(kState).Only().Get<int>(0), 0);
}

// PostgreSQL answers COMMIT of a failed transaction with ROLLBACK and no error.
TEST_F(TransactionTest, AFaultThatTheWorkSwallowedIsNotTakenForACommit) {
  Pool pool(Settings());
  EXPECT_THROW(static_cast<void>(InTransaction(pool, Soon(),
                                               [&](Transaction& transaction) -> Result<int> {
                                                 transaction.Execute(kNote, RandomUuid(random_));
                                                 try {
                                                   transaction.Execute(kFail, 0);
                                                 } catch (const Fault&) {
                                                 }
                                                 return 1;
                                               })),
               Fault);
  EXPECT_EQ(Count(), 0U);
}

TEST_F(TransactionTest, RunsAgainWhenTheConnectionWasLostBeforeTheCommit) {
  Pool pool(Settings());
  int runs = 0;
  const auto result = InTransaction(pool, Soon(), [&](Transaction& transaction) -> Result<int> {
    transaction.Execute(kNote, RandomUuid(random_));
    constexpr Query kPid{"pid", "SELECT pg_backend_pid()"};
    if (++runs == 1) {
      Terminate(Settings(), transaction.Execute(kPid).Only().Get<int>(0));
    }
    transaction.Execute(kNote, RandomUuid(random_));
    return runs;
  });
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, 2);
  EXPECT_EQ(Count(), 2U);
}

TEST_F(TransactionTest, AConnectionLostAtTheCommitIsNotRunAgain) {
  Pool pool(Settings());
  int runs = 0;
  // libpqxx 6.4 forgets a result here as it does where lsan.supp names it.
  const support::ForgivenLeaks forgiven;
  EXPECT_THROW(static_cast<void>(InTransaction(
                   pool, Soon(),
                   [&](Transaction& transaction) -> Result<int> {
                     ++runs;
                     constexpr Query kPid{"pid", "SELECT pg_backend_pid()"};
                     Terminate(Settings(), transaction.Execute(kPid).Only().Get<int>(0));
                     return 1;
                   })),
               Unavailable);
  EXPECT_EQ(runs, 1);
}

TEST_F(TransactionTest, AStatementMayTakeWhatIsLeftOfTheDeadlineAndNoMore) {
  auto settings = Settings();
  settings.statement_timeout = 10s;
  Pool pool(settings);
  constexpr Query kSleep{"sleep", "SELECT pg_sleep(5)"};
  const auto began = std::chrono::steady_clock::now();
  EXPECT_THROW(static_cast<void>(InTransaction(pool, Soon(100ms),
                                               [&](Transaction& transaction) -> Result<int> {
                                                 transaction.Execute(kSleep);
                                                 return 1;
                                               })),
               StatementTimeout);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 3s);
  // The limit went with its transaction.
  constexpr Query kLimit{"limit", "SELECT current_setting('statement_timeout')"};
  EXPECT_EQ((*pool.Acquire(Soon()))->Execute(kLimit).Only().Get<std::string>(0), "10s");
}

TEST_F(TransactionTest, ADeadlineBeyondTheConnectionsOwnLimitDoesNotRaiseIt) {
  auto settings = Settings();
  settings.statement_timeout = 100ms;
  Pool pool(settings);
  constexpr Query kSleep{"sleep", "SELECT pg_sleep(5)"};
  EXPECT_THROW(static_cast<void>(InTransaction(pool, Soon(),
                                               [&](Transaction& transaction) -> Result<int> {
                                                 transaction.Execute(kSleep);
                                                 return 1;
                                               })),
               StatementTimeout);
}

}  // namespace
}  // namespace countersign::pg
