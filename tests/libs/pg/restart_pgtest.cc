// PostgreSQL itself is stopped, killed and started again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>
#include <thread>

#include "libs/core/random.h"
#include "libs/pg/array.h"
#include "libs/pg/batcher.h"
#include "libs/pg/transaction.h"
#include "tests/support/database.h"
#include "tests/support/private_servers.h"

namespace countersign::pg {
namespace {

using namespace std::chrono_literals;

constexpr Query kNote{"note", "INSERT INTO noted SELECT unnest($1::uuid[]) RETURNING 1"};
using NoteBatcher = Batcher<Uuid, int>;

std::vector<Outcome<int>> Note(Connection& db, std::span<const Uuid> ids) {
  std::vector<Outcome<int>> outcomes;
  for (const auto row : db.Execute(kNote, Column(ids))) {
    outcomes.emplace_back(Result<int>(row.Get<int>(0)));
  }
  return outcomes;
}

class RestartTest : public support::PgTest {
 protected:
  static void SetUpTestSuite() {
    if (support::ServerConninfo().empty()) return;  // SetUp says why
    servers_ = std::make_unique<support::PrivateServers>("postgres");
    settings_.conninfo = Secret<std::string>(servers_->Value("COUNTERSIGN_TEST_DATABASE"));
    Connection(settings_).ExecuteScript("CREATE TABLE noted (id uuid PRIMARY KEY)");
  }
  static void TearDownTestSuite() { servers_.reset(); }

  static std::set<Uuid> Noted() {
    constexpr Query kNoted{"noted", "SELECT id FROM noted"};
    std::set<Uuid> noted;
    Connection db(settings_);
    for (const auto row : db.Execute(kNoted)) noted.insert(row.Get<Uuid>(0));
    return noted;
  }

  inline static std::unique_ptr<support::PrivateServers> servers_;
  inline static ConnectionSettings settings_;
  SystemRandom random_;
};

TEST_F(RestartTest, TheBatcherOutlivesItAndTellsEachCallerTheTruth) {
  NoteBatcher batcher(settings_, {}, {.statement = Note});
  struct Told {
    Uuid id;
    std::string word;
  };
  std::mutex mutex;
  std::vector<Told> told;
  std::atomic<std::size_t> done = 0;
  std::size_t submitted = 0;
  const auto submit = [&] {
    const Uuid id = RandomUuid(random_);
    batcher.Submit(ToString(id), id, std::chrono::steady_clock::now() + 20s, [&, id](auto answer) {
      const std::lock_guard lock(mutex);
      told.push_back({id, answer ? "ok" : std::string(answer.error().reason->word)});
      ++done;
    });
    ++submitted;
  };
  const auto await_served = [&] {
    const auto end = std::chrono::steady_clock::now() + 20s;
    for (bool served = false; !served && std::chrono::steady_clock::now() < end;) {
      submit();
      while (done < submitted) std::this_thread::sleep_for(1ms);
      const std::lock_guard lock(mutex);
      served = told.back().word == "ok";
    }
  };
  for (const bool kill : {false, true}) {
    await_served();
    std::jthread callers([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        for (int i = 0; i < 20; ++i) submit();
        std::this_thread::sleep_for(1ms);
      }
    });
    kill ? servers_->Kill("postgres") : servers_->Stop("postgres");
    callers = {};
    servers_->Start("postgres");
  }
  await_served();
  batcher.Stop();
  ASSERT_EQ(told.size(), submitted);
  EXPECT_EQ(told.back().word, "ok") << "not served again after the restart";
  const auto noted = Noted();
  for (const Told& one : told) {
    if (one.word == "ok") {
      EXPECT_TRUE(noted.contains(one.id));
    } else if (one.word == "DEPENDENCY_UNAVAILABLE") {
      EXPECT_FALSE(noted.contains(one.id));
    } else {
      EXPECT_THAT(one.word, testing::AnyOf("OUTCOME_UNKNOWN", "OVERLOADED"));
    }
  }
}

TEST_F(RestartTest, ThePoolOutlivesIt) {
  Pool pool(settings_);
  const auto note = [&] {
    return InTransaction(pool, std::chrono::steady_clock::now() + 5s,
                         [&](Transaction& transaction) -> Result<int> {
                           const std::vector ids = {RandomUuid(random_)};
                           transaction.Execute(kNote, Column(ids));
                           return 1;
                         });
  };
  EXPECT_TRUE(note());
  servers_->Stop("postgres");
  EXPECT_THROW(static_cast<void>(note()), Unavailable);
  servers_->Start("postgres");
  EXPECT_TRUE(note());
}

}  // namespace
}  // namespace countersign::pg
