#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "libs/pg/connection.h"
#include "libs/pg/errors.h"
#include "tests/support/database.h"
#include "tests/tools/countersignctl/ctl_run.h"
#include "tools/countersignctl/ledger.h"

namespace countersign::ctl {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;

// An empty database and a folder of migrations of its own.
class MigrateTest : public support::PgTest {
 protected:
  void SetUp() override {
    PgTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    database_ =
        std::make_unique<support::Database>(support::ServerConninfo(), support::Schema::kEmpty);
    folder_ = fs::temp_directory_path() / ("migrate-" + std::to_string(getpid()));
    fs::remove_all(folder_);
    for (const auto schema : kSchemas) fs::create_directories(folder_ / schema);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Write(const std::string& file, const std::string& up, const std::string& down) const {
    std::ofstream(folder_ / file) << "-- migrate:up\n"
                                  << up << "\n-- migrate:down\n"
                                  << down << "\n";
  }
  [[nodiscard]] Told Migrate(std::vector<std::string> words) const {
    words.insert(words.begin(), "migrate");
    words.insert(words.end(), {"--dir", folder_.string()});
    return RunCtl(words, {{"DATABASE_URL", database_->conninfo()}});
  }
  [[nodiscard]] pg::Connection Connect(std::chrono::milliseconds lock_timeout = 10s) const {
    return pg::Connection({.conninfo = Secret<std::string>(database_->conninfo()),
                           .lock_timeout = lock_timeout,
                           .statement_timeout = 20s});
  }
  [[nodiscard]] bool Exists(const std::string& table) const {
    constexpr pg::Query kExists{"exists", "SELECT to_regclass($1) IS NOT NULL"};
    return Connect().Execute(kExists, table).Only().Get<bool>(0);
  }

  std::unique_ptr<support::Database> database_;
  fs::path folder_;
};

TEST_F(MigrateTest, AFailingMigrationLeavesNothingOfItselfAndKeepsThoseBefore) {
  Write("auth/0001_good.sql", "CREATE TABLE auth.good ();", "DROP TABLE auth.good;");
  Write("auth/0002_bad.sql", "CREATE TABLE auth.half (); SELECT 1 / 0;", "SELECT 1;");
  const auto told = Migrate({"up"});
  EXPECT_EQ(told.exit, kFailed);
  EXPECT_THAT(told.out, HasSubstr("applied auth/0001_good"));
  EXPECT_THAT(told.err, HasSubstr("auth/0002_bad"));
  EXPECT_TRUE(Exists("auth.good"));
  EXPECT_FALSE(Exists("auth.half"));
  EXPECT_EQ(Migrate({"status"}).exit, kDiffers);
  Write("auth/0002_bad.sql", "CREATE TABLE auth.half ();", "DROP TABLE auth.half;");
  EXPECT_EQ(Migrate({"up"}).exit, kOk);
  EXPECT_EQ(Migrate({"status"}).exit, kOk);
}

TEST_F(MigrateTest, AFailingWayBackLeavesTheMigrationApplied) {
  Write("auth/0001_t.sql", "CREATE TABLE auth.t ();", "DROP TABLE auth.t; SELECT 1 / 0;");
  ASSERT_EQ(Migrate({"up"}).exit, kOk);
  const auto told = Migrate({"down"});
  EXPECT_EQ(told.exit, kFailed);
  EXPECT_THAT(told.err, HasSubstr("auth/0001_t"));
  EXPECT_TRUE(Exists("auth.t"));
  EXPECT_EQ(Migrate({"status"}).exit, kOk);
}

TEST_F(MigrateTest, RefusesAMigrationThatWasChangedAfterItWasApplied) {
  Write("auth/0001_t.sql", "CREATE TABLE auth.t ();", "DROP TABLE auth.t;");
  ASSERT_EQ(Migrate({"up"}).exit, kOk);
  Write("auth/0001_t.sql", "CREATE TABLE auth.t (x int);", "DROP TABLE auth.t;");
  Write("auth/0002_u.sql", "CREATE TABLE auth.u ();", "DROP TABLE auth.u;");
  const auto told = Migrate({"up"});
  EXPECT_EQ(told.exit, kFailed);
  EXPECT_THAT(told.err, HasSubstr("auth/0001_t was changed"));
  EXPECT_FALSE(Exists("auth.u"));
  EXPECT_THAT(Migrate({"status"}).out, HasSubstr("changed after it was applied"));
}

TEST_F(MigrateTest, AnOlderReleaseLeavesNewerMigrationsAlone) {
  Write("auth/0001_t.sql", "CREATE TABLE auth.t ();", "DROP TABLE auth.t;");
  Write("auth/0002_u.sql", "CREATE TABLE auth.u ();", "DROP TABLE auth.u;");
  ASSERT_EQ(Migrate({"up"}).exit, kOk);
  fs::remove(folder_ / "auth/0002_u.sql");
  EXPECT_EQ(Migrate({"up"}).exit, kOk);
  EXPECT_EQ(Migrate({"status"}).exit, kDiffers);
  EXPECT_THAT(Migrate({"status"}).out, HasSubstr("file missing"));
  const auto down = Migrate({"down"});
  EXPECT_EQ(down.exit, kFailed);
  EXPECT_THAT(down.err, HasSubstr("auth/0002_u"));
  EXPECT_TRUE(Exists("auth.u"));
}

TEST_F(MigrateTest, ManyAtOnceApplyEachMigrationOnce) {
  for (int i = 1; i <= 5; ++i) {
    const std::string n = std::to_string(i);
    Write("auth/000" + n + "_t.sql", "CREATE TABLE auth.t" + n + " ();",
          "DROP TABLE auth.t" + n + ";");
  }
  std::atomic<int> applied = 0;
  {
    constexpr int kThreads = 4;
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&] {
        const auto told = Migrate({"up"});
        EXPECT_EQ(told.exit, kOk) << told.err;
        for (auto at = told.out.find("applied"); at != std::string::npos;
             at = told.out.find("applied", at + 1)) {
          ++applied;
        }
      });
    }
  }
  EXPECT_EQ(applied, 5);
}

TEST_F(MigrateTest, ASecondOneWaitsForTheFirst) {
  Write("auth/0001_t.sql", "CREATE TABLE auth.t ();", "DROP TABLE auth.t;");
  auto first = std::make_unique<pg::Connection>(
      pg::ConnectionSettings{.conninfo = Secret<std::string>(database_->conninfo())});
  Ledger(*first).Lock();
  std::atomic<int> exit = -1;
  std::jthread second([&] { exit = Migrate({"up"}).exit; });
  auto db = Connect();
  constexpr pg::Query kWaiting{"waiting",
                               "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT "
                               "granted AND database = (SELECT oid FROM pg_database WHERE datname "
                               "= current_database())"};
  while (db.Execute(kWaiting).Only().Get<int>(0) == 0) std::this_thread::yield();
  EXPECT_EQ(exit, -1);
  first.reset();
  second.join();
  EXPECT_EQ(exit, kOk);
}

TEST_F(MigrateTest, OneThatWaitedTooLongIsToldWhy) {
  auto first = Connect();
  Ledger(first).Lock();
  auto second = Connect(50ms);
  try {
    Ledger(second).Lock();
    FAIL() << "both hold the lock";
  } catch (const Failure& fault) {
    EXPECT_THAT(fault.what(), HasSubstr("another"));
  }
}

TEST_F(MigrateTest, AMigrationMayTakeLongerThanStatementsOfServicesMay) {
  Write("auth/0001_slow.sql", "SELECT pg_sleep(2.5); CREATE TABLE auth.t ();",
        "DROP TABLE auth.t;");
  EXPECT_EQ(Migrate({"up"}).exit, kOk);
}

TEST_F(MigrateTest, StatusAsJsonCanBeReadByPrograms) {
  Write("otp/0001_t.sql", "CREATE TABLE otp.t ();", "DROP TABLE otp.t;");
  const auto before = nlohmann::json::parse(Migrate({"status", "--json"}).out);
  EXPECT_EQ(before[0]["state"], "pending");
  EXPECT_EQ(before[0]["applied_at"], "");
  ASSERT_EQ(Migrate({"up"}).exit, kOk);
  const auto after = nlohmann::json::parse(Migrate({"status", "--json"}).out);
  ASSERT_EQ(after.size(), 1U);
  EXPECT_EQ(after[0]["schema"], "otp");
  EXPECT_EQ(after[0]["name"], "0001_t");
  EXPECT_EQ(after[0]["state"], "applied");
  EXPECT_THAT(after[0]["applied_at"].get<std::string>(), testing::EndsWith("Z"));
}

}  // namespace
}  // namespace countersign::ctl
