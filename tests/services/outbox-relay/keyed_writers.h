#pragma once
// Writers that lock their key, roll back now and then and use savepoints; and what Kafka must then
// have of them.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "libs/pg/connection.h"
#include "tests/support/kafka.h"

namespace countersign::relay {

// Returns how many events were committed, when all writers are done.
inline std::size_t RunKeyedWriters(pg::ConnectionSettings settings, const std::string& topic) {
  constexpr int kThreads = 6;
  constexpr int kEach = 60;
  settings.lock_timeout = settings.statement_timeout = std::chrono::seconds(20);
  pg::Connection(settings).ExecuteScript(
      "CREATE TABLE keys (key text PRIMARY KEY, seq bigint NOT NULL); "
      "INSERT INTO keys SELECT 'k' || n, 0 FROM generate_series(0, 4) n");
  const auto write = [&](int writer) {
    pg::Connection db(settings);
    const std::string sql =
        "WITH next AS (UPDATE keys SET seq = seq + 1 WHERE key = $1 RETURNING key, seq) INSERT "
        "INTO auth.event_log (event_id, topic, key, type, seq, payload) SELECT "
        "gen_random_uuid(), $2, key, 't', seq, to_json(seq) FROM next";
    for (int i = 0; i < kEach; ++i) {
      const std::string key = "k" + std::to_string((writer + i) % 5);
      // The number of a transaction says nothing about its place in the order.
      db.ExecuteScript("BEGIN; SELECT pg_current_xact_id()");
      db.Execute({"append", sql}, key, topic);
      if (i % 7 == 0) {
        db.ExecuteScript("SAVEPOINT s");
        db.Execute({"append", sql}, key, topic);
        db.ExecuteScript("ROLLBACK TO s");
      }
      db.ExecuteScript(i % 5 == 0 ? "ROLLBACK" : "COMMIT");
    }
  };
  {
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (int writer = 0; writer < kThreads; ++writer) threads.emplace_back(write, writer);
  }
  return std::size_t{kThreads * kEach * 4 / 5};
}

// Every event once, those of a key in their order and in one partition.
inline void ExpectEachOnceInOrder(const std::vector<support::Record>& records,
                                  std::size_t committed) {
  EXPECT_EQ(records.size(), committed) << "something was lost, invented or doubled";
  std::map<std::string, int> last;
  std::map<std::string, int> partition;
  for (const auto& record : records) {
    EXPECT_EQ(std::stoi(record.value), ++last[record.key]) << record.key;
    EXPECT_EQ(partition.try_emplace(record.key, record.partition).first->second, record.partition);
  }
}

}  // namespace countersign::relay
