// log_make and log_drop: partitions come in time and go only when nobody needs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "libs/pg/connection.h"
#include "libs/pg/errors.h"
#include "tests/migrations/event_log.h"

namespace countersign {
namespace {

using namespace std::chrono_literals;

class LogPartitionsTest : public EventLogTest {
 protected:
  void SetUp() override {
    EventLogTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    pg::Connection owner(Settings());
    LogMake(owner, 14);
  }
  [[nodiscard]] static pg::Connection Service() {
    auto settings = Settings("countersign_" + schema());
    settings.statement_timeout = 10s;
    return pg::Connection(settings);
  }
  // The partition of a day long past, with one event. `day`: "2020-01-05".
  static void MakeOld(const std::string& day) {
    pg::Connection(Settings())
        .ExecuteScript("DO $$ BEGIN EXECUTE format('CREATE TABLE " + schema() +
                       ".event_log_%s PARTITION OF " + schema() +
                       ".event_log FOR VALUES FROM (%L) TO (%L)', to_char(date '" + day +
                       "', 'YYYYMMDD'), timestamptz '" + day + " 00:00+00', timestamptz '" + day +
                       " 00:00+00' + interval '1 day'); END $$;"
                       "INSERT INTO " +
                       schema() +
                       ".event_log (event_id, topic, key, type, seq, payload, occurred_at) VALUES "
                       "(gen_random_uuid(), 'test', 'old', 'test', 1, '{}', '" +
                       day + " 12:00+00')");
  }
  static int LogDrop(const std::string& before, const std::string& settled) {
    auto settings = Settings();
    settings.statement_timeout = 10s;
    pg::Connection db(settings);
    int dropped = 0;
    while (LogDropOne(db, before, settled) > 0) ++dropped;
    return dropped;
  }
  static int LogDropOne(pg::Connection& db, const std::string& before, const std::string& settled) {
    const std::string sql = "SELECT " + schema() + ".log_drop($1::timestamptz, $2::pg_snapshot)";
    return db.Execute({"log_drop", sql}, before, settled).Only().Get<int>(0);
  }
  static void AppendTo(pg::Connection& db, const std::string& instant) {
    db.ExecuteScript("INSERT INTO " + schema() +
                     ".event_log (event_id, topic, key, type, seq, payload, occurred_at) VALUES "
                     "(gen_random_uuid(), 'test', 'late', 'test', 1, '{}', '" +
                     instant + "')");
  }
  [[nodiscard]] static std::string Snapshot() { return ScalarText("SELECT pg_current_snapshot()"); }
};

INSTANTIATE_TEST_SUITE_P(Schemas, LogPartitionsTest, testing::Values("auth", "otp"), SchemaName);

TEST_P(LogPartitionsTest, LogMakeMakesWhatLacksAndNothingTwice) {
  for (const int day : {3, 9, 14}) DropPartitions(day, day);
  auto service = Service();
  EXPECT_EQ(LogMake(service, 14), 3);
  EXPECT_EQ(LogMake(service, 14), 0);
  EXPECT_EQ(LogMake(service, -1), 0);
}

TEST_P(LogPartitionsTest, LogMakeStopsAtSixtyDays) {
  auto service = Service();
  LogMake(service, 2'000'000'000);
  EXPECT_EQ(ScalarText("SELECT " + schema() + ".log_days_ahead()"), "60");
}

TEST_P(LogPartitionsTest, ConcurrentCallersShareTheWork) {
  DropPartitions(5, 60);
  std::atomic<int> made = 0;
  {
    constexpr int kThreads = 6;
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&] {
        try {
          auto service = Service();
          made += LogMake(service, 24);
        } catch (const pg::Fault& fault) {
          ADD_FAILURE() << fault.what();
        }
      });
    }
  }
  EXPECT_EQ(made, 20);
}

TEST_P(LogPartitionsTest, ACallerWaitsForAnotherOneThatTakesLongerThanATableLockMay) {
  DropPartitions(10, 10);
  auto first = Service();
  first.ExecuteScript("BEGIN");
  EXPECT_EQ(LogMake(first, 14), 1);
  const std::jthread finishes([&] {
    std::this_thread::sleep_for(300ms);
    first.ExecuteScript("COMMIT");
  });
  auto second = Service();
  EXPECT_EQ(LogMake(second, 14), 0);
}

TEST_P(LogPartitionsTest, LogMakeWorksBehindALongTransactionAndKeepsNobodyWaiting) {
  DropPartitions(15, 60);
  pg::Connection writer(Settings());
  writer.ExecuteScript("BEGIN");
  Append(writer, {});
  pg::Connection reader(Settings());
  reader.ExecuteScript("BEGIN; SELECT count(*) FROM " + schema() + ".event_log");
  auto service = Service();
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(LogMake(service, 24), 10);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 3s);
  // Others went on appending all the while: a lock that queued would time out after 100 ms.
  pg::Connection other(Settings());
  EXPECT_NO_THROW(Append(other, {}));
  writer.ExecuteScript("COMMIT");
  reader.ExecuteScript("COMMIT");
}

TEST_P(LogPartitionsTest, LogMakeOutwaitsALockOnTheLogWhileOthersGoOnAppending) {
  DropPartitions(10, 10);
  pg::Connection holder(Settings());
  holder.ExecuteScript("BEGIN; LOCK TABLE " + schema() +
                       ".event_log IN SHARE UPDATE EXCLUSIVE MODE");  // as VACUUM takes it
  std::atomic<int> made = -1;
  {
    const std::jthread maker([&] {
      auto service = Service();
      made = LogMake(service, 14);
    });
    pg::Connection other(Settings());
    const auto until = std::chrono::steady_clock::now() + 400ms;
    while (std::chrono::steady_clock::now() < until) EXPECT_NO_THROW(Append(other, {}));
    EXPECT_EQ(made, -1);
    holder.ExecuteScript("COMMIT");
  }
  EXPECT_EQ(made, 1);
}

TEST_P(LogPartitionsTest, LogDropDropsDaysThatEndedBefore) {
  for (const char* day : {"2020-01-01", "2020-01-02", "2020-01-03"}) MakeOld(day);
  EXPECT_EQ(LogDrop("2020-01-03 00:00+00", Snapshot()), 2);
  EXPECT_EQ(ScalarText("SELECT min(occurred_at)::date FROM " + schema() + ".event_log"),
            "2020-01-03");
  EXPECT_EQ(LogDrop("2020-01-04 00:00+00", Snapshot()), 1);
}

TEST_P(LogPartitionsTest, LogDropKeepsWhatTheRelayHasNotSettledAndEverythingAfterIt) {
  MakeOld("2020-02-01");
  const std::string settled = Snapshot();
  MakeOld("2020-02-02");  // its event is not in that snapshot
  MakeOld("2020-02-03");
  EXPECT_EQ(LogDrop("2020-03-01", settled), 1);
  EXPECT_EQ(LogDrop("2020-03-01", settled), 0);
  EXPECT_EQ(LogDrop("2020-03-01", Snapshot()), 2);
}

TEST_P(LogPartitionsTest, LogDropKeepsAnEventWhoseTransactionWasOpenInTheSnapshot) {
  MakeOld("2020-03-01");
  pg::Connection writer(Settings());
  writer.ExecuteScript("BEGIN");
  AppendTo(writer, "2020-03-01 13:00+00");
  const std::string settled = Snapshot();
  writer.ExecuteScript("COMMIT");
  EXPECT_EQ(LogDrop("2020-04-01", settled), 0);
  EXPECT_EQ(LogDrop("2020-04-01", Snapshot()), 1);
}

// It cannot be seen when log_drop begins, and is there when log_drop has its lock.
TEST_P(LogPartitionsTest, LogDropKeepsAnEventThatIsCommittedWhileItWaits) {
  MakeOld("2020-03-02");
  pg::Connection writer(Settings());
  writer.ExecuteScript("BEGIN");
  AppendTo(writer, "2020-03-02 13:00+00");
  const std::string settled = Snapshot();
  const std::jthread commits([&] {
    for (int look = 0; look < 500; ++look) {
      if (ScalarText("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0") break;
      std::this_thread::sleep_for(10ms);
    }
    writer.ExecuteScript("COMMIT");
  });
  EXPECT_EQ(LogDrop("2020-04-01", settled), 0);
  EXPECT_EQ(ScalarText("SELECT count(*) FROM " + schema() + ".event_log WHERE key = 'late'"), "1");
  EXPECT_EQ(LogDrop("2020-04-01", Snapshot()), 1);
}

// With a day's rows to look through, the log would be locked for as long as that takes.
TEST_P(LogPartitionsTest, LogDropLooksAtNoDayWhileTheLogIsLocked) {
  for (const char* day : {"2020-05-01", "2020-05-02", "2020-05-03"}) MakeOld(day);
  auto settings = Settings();
  settings.statement_timeout = 10s;
  pg::Connection db(settings);
  EXPECT_EQ(LogDropOne(db, "2020-06-01", Snapshot()), 1);
  EXPECT_EQ(ScalarText("SELECT min(occurred_at)::date FROM " + schema() + ".event_log"),
            "2020-05-02");
  EXPECT_EQ(LogDrop("2020-06-01", Snapshot()), 2);
}

TEST_P(LogPartitionsTest, OfTwoLogDropsAtATimeOneLeavesItToTheOther) {
  for (const char* day : {"2020-07-01", "2020-07-02"}) MakeOld(day);
  pg::Connection first(Settings());
  first.ExecuteScript("BEGIN");
  EXPECT_EQ(LogDropOne(first, "2020-08-01", Snapshot()), 1);
  pg::Connection second(Settings());
  EXPECT_EQ(LogDropOne(second, "2020-08-01", Snapshot()), 0);
  first.ExecuteScript("COMMIT");
  EXPECT_EQ(LogDropOne(second, "2020-08-01", Snapshot()), 1);
}

// Writers and readers of the log keep the lock away; it is asked for again and again for a short
// time only, so that others do not queue behind it.
TEST_P(LogPartitionsTest, LogDropOutwaitsAReaderWhileOthersGoOnAppending) {
  MakeOld("2020-09-01");
  pg::Connection reader(Settings());
  reader.ExecuteScript("BEGIN; SELECT count(*) FROM " + schema() + ".event_log");
  std::atomic<int> dropped = -1;
  {
    const std::jthread dropper([&] { dropped = LogDrop("2020-10-01", Snapshot()); });
    pg::Connection other(Settings());
    const auto until = std::chrono::steady_clock::now() + 400ms;
    while (std::chrono::steady_clock::now() < until) EXPECT_NO_THROW(Append(other, {}));
    EXPECT_EQ(dropped, -1);
    reader.ExecuteScript("COMMIT");
  }
  EXPECT_EQ(dropped, 1);
}

TEST_P(LogPartitionsTest, LogDropDropsNothingWithoutAnAgeOrASnapshot) {
  MakeOld("2020-11-01");
  for (const char* arguments : {"NULL, pg_current_snapshot()", "now(), NULL"}) {
    EXPECT_EQ(ScalarText("SELECT " + schema() + ".log_drop(" + arguments + ")"), "");
  }
  pg::Connection db(Settings());
  db.ExecuteScript("BEGIN ISOLATION LEVEL REPEATABLE READ");
  EXPECT_THROW(LogDropOne(db, "2020-12-01", Snapshot()), pg::Refused);
  db.ExecuteScript("ROLLBACK");
  EXPECT_EQ(LogDrop("2020-12-01", Snapshot()), 1);
}

TEST_P(LogPartitionsTest, LogDaysKeptIsTheAgeOfTheOldestDay) {
  LogDrop("infinity", Snapshot());
  EXPECT_EQ(ScalarText("SELECT " + schema() + ".log_days_kept()"), "0");
  MakeOld(ScalarText("SELECT (now() AT TIME ZONE 'UTC')::date - 30"));
  MakeOld(ScalarText("SELECT (now() AT TIME ZONE 'UTC')::date - 40"));
  EXPECT_EQ(ScalarText("SELECT " + schema() + ".log_days_kept()"), "40");
}

TEST_P(LogPartitionsTest, LogDropNeverTakesADayThatIsNotOver) {
  LogDrop("infinity", Snapshot());
  pg::Connection db(Settings());
  EXPECT_NO_THROW(Append(db, {}));
  EXPECT_NO_THROW(Append(db, {.days_from_now = 1}));
}

TEST_P(LogPartitionsTest, DB1_NoServiceMayDropPartitions) {
  for (const char* role : {"countersign_auth", "countersign_otp", "countersign_relay"}) {
    pg::Connection db(Settings(role));
    EXPECT_THROW(
        db.ExecuteScript("SELECT " + schema() + ".log_drop('2020-01-01', pg_current_snapshot())"),
        pg::Refused);
  }
}

}  // namespace
}  // namespace countersign
