#pragma once
// What the batcher's tests share: a hot command on real rows, whose callers and statements are
// watched.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "libs/core/random.h"
#include "libs/core/uuid.h"
#include "libs/pg/array.h"
#include "libs/pg/batcher.h"
#include "tests/support/database.h"

namespace countersign::pg {

// "Add `amount` to the counter `key`", answered with the counter's new value. An amount beyond
// kPoison breaks a constraint of the table; an id that was used before breaks its primary key.
struct Add {
  Uuid id;
  std::string key;
  int amount = 1;
};
inline constexpr int kPoison = 1'000'000;

inline constexpr Query kAdd{"add", R"sql(
  WITH wanted AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[]) WITH ORDINALITY
               AS w (id, key, amount, position)),
  counted AS (
    INSERT INTO counting.counters AS c (key, total) SELECT key, amount FROM wanted ORDER BY key
        ON CONFLICT (key) DO UPDATE SET total = c.total + excluded.total
    RETURNING c.key, c.total),
  noted AS (
    INSERT INTO counting.done (id, key, total)
    SELECT w.id, w.key, c.total FROM wanted w JOIN counted c USING (key)
    RETURNING id, total)
  SELECT n.total FROM noted n JOIN wanted w USING (id) ORDER BY w.position
)sql"};
inline constexpr Query kFindAdded{"find_added", R"sql(
  SELECT d.total FROM unnest($1::uuid[]) WITH ORDINALITY AS w (id, position)
    LEFT JOIN counting.done d USING (id) ORDER BY w.position
)sql"};

using AddBatcher = Batcher<Add, int>;
using AddOutcomes = std::vector<Outcome<int>>;

inline AddOutcomes RunAdd(Connection& db, std::span<const Add> commands) {
  const auto rows = db.Execute(kAdd, Column(commands, &Add::id), Column(commands, &Add::key),
                               Column(commands, &Add::amount));
  AddOutcomes outcomes;
  for (const auto row : rows) outcomes.emplace_back(Result<int>(row.Get<int>(0)));
  return outcomes;
}

inline std::vector<std::optional<Result<int>>> FindAdded(Connection& db,
                                                         std::span<const Add> commands) {
  std::vector<std::optional<Result<int>>> found;
  for (const auto row : db.Execute(kFindAdded, Column(commands, &Add::id))) {
    const auto total = row.Get<std::optional<int>>(0);
    found.push_back(total ? std::optional(Result<int>(*total)) : std::nullopt);
  }
  return found;
}

// What the callers were told, each by its number. Thread safe.
class Answers {
 public:
  [[nodiscard]] AddBatcher::Done For(std::size_t caller) {
    return [this, caller](Result<int> answer) {
      const std::lock_guard lock(mutex_);
      EXPECT_TRUE(answers_.emplace(caller, std::move(answer)).second)
          << "caller " << caller << " was answered twice";
      changed_.notify_all();
    };
  }
  // Until so many were answered; fails the test after 20 s.
  void Await(std::size_t count) {
    std::unique_lock lock(mutex_);
    const bool all =
        changed_.wait_for(lock, std::chrono::seconds(20), [&] { return answers_.size() >= count; });
    EXPECT_TRUE(all) << answers_.size() << " of " << count << " callers were answered";
  }
  [[nodiscard]] std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return answers_.size();
  }
  // "ok", or the reason's word; "nothing" if there is no answer yet.
  [[nodiscard]] std::string Word(std::size_t caller) const {
    const std::lock_guard lock(mutex_);
    const auto found = answers_.find(caller);
    if (found == answers_.end()) return "nothing";
    return found->second ? "ok" : std::string(found->second.error().reason->word);
  }
  [[nodiscard]] int Value(std::size_t caller) const {
    const std::lock_guard lock(mutex_);
    const auto found = answers_.find(caller);
    return found != answers_.end() && found->second ? *found->second : -1;
  }
  [[nodiscard]] std::size_t CountOf(const std::string& word) const {
    std::size_t count = 0;
    for (std::size_t caller : Callers()) count += Word(caller) == word ? 1 : 0;
    return count;
  }
  [[nodiscard]] std::vector<std::size_t> Callers() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::size_t> callers;
    for (const auto& [caller, answer] : answers_) callers.push_back(caller);
    return callers;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::size_t, Result<int>> answers_;
};

// A door that a statement waits at until the test opens it.
class Gate {
 public:
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void Pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  // Until a statement stands at the door; fails the test after 20 s.
  void AwaitArrival() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return arrived_ > 0; }));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int arrived_ = 0;
};

// One run of the statement.
struct Seen {
  int backend = 0;
  std::vector<Add> commands;
};

class CountingTest : public support::PgTest {
 protected:
  void SetUp() override {
    PgTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    Connection(Settings()).ExecuteScript(R"sql(
      CREATE SCHEMA IF NOT EXISTS counting;
      CREATE TABLE IF NOT EXISTS counting.counters (key text PRIMARY KEY,
                                                    total integer NOT NULL CHECK (total < 1000000));
      CREATE TABLE IF NOT EXISTS counting.done (id uuid PRIMARY KEY, key text NOT NULL,
                                                total integer NOT NULL);
      TRUNCATE counting.counters, counting.done)sql");
  }

  [[nodiscard]] static Deadline Soon(std::chrono::milliseconds time = std::chrono::seconds(10)) {
    return std::chrono::steady_clock::now() + time;
  }
  [[nodiscard]] Add Draw(std::string key, int amount = 1) {
    return {.id = RandomUuid(random_), .key = std::move(key), .amount = amount};
  }

  // RunAdd, with every run noted. A command of key "plug" waits at the gate first, so that what is
  // submitted meanwhile to a batcher of one connection becomes its next batch.
  [[nodiscard]] AddBatcher::Work Watched() {
    return {.statement =
                [this](Connection& db, std::span<const Add> commands) {
                  Note(db, commands);
                  if (commands[0].key == kPlug) gate_.Pass();
                  return RunAdd(db, commands);
                },
            .lookup = FindAdded};
  }
  void Note(const Connection& db, std::span<const Add> commands) {
    const std::lock_guard lock(seen_mutex_);
    seen_.push_back({db.BackendPid(), {commands.begin(), commands.end()}});
  }
  [[nodiscard]] std::vector<Seen> SeenRuns() {
    const std::lock_guard lock(seen_mutex_);
    return seen_;
  }
  // Submits the plug and waits until it holds the batcher's connection.
  void Plug(AddBatcher& batcher) {
    batcher.Submit(kPlug, Draw(kPlug), Soon(std::chrono::seconds(60)), plug_.For(0));
    gate_.AwaitArrival();
  }
  [[nodiscard]] static std::size_t RowsDone(const std::string& key = "") {
    Connection db(Settings());
    constexpr Query kCount{"count", "SELECT count(*) FROM counting.done WHERE $1 IN ('', key)"};
    return db.Execute(kCount, key).Only().Get<std::size_t>(0);
  }

  static constexpr char kPlug[] = "plug";
  SystemRandom random_;
  Gate gate_;
  Answers plug_;

 private:
  std::mutex seen_mutex_;
  std::vector<Seen> seen_;  // guarded by seen_mutex_
};

inline const BatcherOptions kOneConnection{.connections = 1, .retry_connections = 1};

}  // namespace countersign::pg
