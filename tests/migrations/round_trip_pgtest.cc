// Every migration goes up, comes down to exactly what was before, and goes up again, by the
// operator's own command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "libs/pg/connection.h"
#include "tests/support/database.h"
#include "tools/countersignctl/command.h"
#include "tools/countersignctl/migration.h"

namespace countersign {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class RoundTripTest : public support::PgTest {
 protected:
  void SetUp() override {
    PgTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    database_ =
        std::make_unique<support::Database>(support::ServerConninfo(), support::Schema::kEmpty);
    folder_ = fs::temp_directory_path() / ("migrations-" + std::to_string(getpid()));
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  struct Outcome {
    int exit = -1;
    std::string out;
    std::string err;
  };
  [[nodiscard]] Outcome Migrate(std::vector<std::string> words) const {
    words.insert(words.begin(), "migrate");
    words.insert(words.end(), {"--database-url", database_->conninfo(), "--dir", folder_.string()});
    std::ostringstream out;
    std::ostringstream err;
    const auto nothing = [](const std::string&) { return std::optional<std::string>(); };
    const int exit = ctl::Run(words, nothing, {out, err});
    return {exit, out.str(), err.str()};
  }
  [[nodiscard]] static std::size_t Latest() { return ctl::ReadMigrations("migrations").size(); }
  // A folder with the first `count` migrations.
  void Release(std::size_t count) const {
    const auto all = ctl::ReadMigrations("migrations");
    fs::remove_all(folder_);
    for (const auto schema : ctl::kSchemas) fs::create_directories(folder_ / schema);
    for (std::size_t i = 0; i < count; ++i) {
      const auto name = fs::path(all[i].schema) / (all[i].name + ".sql");
      fs::copy_file("migrations" / name, folder_ / name);
    }
  }
  // Everything our schemas hold, but the ledger, as text.
  [[nodiscard]] std::string Catalogue() const {
    constexpr pg::Query kCatalogue{"catalogue", R"sql(
      WITH ours AS (SELECT oid, nspname FROM pg_namespace WHERE nspname IN ('auth', 'otp', 'relay', 'public')),
      line (line) AS (
        SELECT concat_ws(' ', n.nspname, c.relname, c.relkind, c.relacl, c.reloptions,
                         pg_get_expr(c.relpartbound, c.oid), c.relreplident)
          FROM pg_class c JOIN ours n ON n.oid = c.relnamespace
        UNION ALL
        SELECT concat_ws(' ', n.nspname, c.relname, a.attnum, a.attname, a.atttypid::regtype,
                         a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND NOT a.attisdropped
          JOIN ours n ON n.oid = c.relnamespace
          LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        UNION ALL
        SELECT concat_ws(' ', n.nspname, k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid))
          FROM pg_constraint k JOIN ours n ON n.oid = k.connamespace
        UNION ALL
        SELECT concat_ws(' ', n.nspname, pg_get_indexdef(c.oid))
          FROM pg_class c JOIN ours n ON n.oid = c.relnamespace WHERE c.relkind IN ('i', 'I')
        UNION ALL
        SELECT concat_ws(' ', n.nspname, pg_get_triggerdef(t.oid), t.tgenabled)
          FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
          JOIN ours n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal
        UNION ALL
        SELECT concat_ws(' ', n.nspname, pg_get_functiondef(f.oid), f.proacl)
          FROM pg_proc f JOIN ours n ON n.oid = f.pronamespace
        UNION ALL
        SELECT concat_ws(' ', pubname, schemaname, tablename) FROM pg_publication_tables
        UNION ALL
        SELECT concat_ws(' ', n.nspname, t.typname) FROM pg_type t JOIN ours n ON n.oid = t.typnamespace)
      SELECT coalesce(string_agg(line, E'\n' ORDER BY line), '') FROM line
       WHERE line NOT LIKE '%schema_migrations%'
    )sql"};
    return pg::Connection({.conninfo = Secret<std::string>(database_->conninfo())})
        .Execute(kCatalogue)
        .Only()
        .Get<std::string>(0);
  }

  std::unique_ptr<support::Database> database_;
  fs::path folder_;
};

TEST_F(RoundTripTest, EveryMigrationComesDownToWhatWasBeforeIt) {
  const std::size_t count = Latest();
  std::vector<std::string> after = {Catalogue()};
  for (std::size_t i = 1; i <= count; ++i) {
    Release(i);
    const auto up = Migrate({"up"});
    ASSERT_EQ(up.exit, ctl::kOk) << up.err;
    after.push_back(Catalogue());
    EXPECT_NE(after[i], after[i - 1]) << "migration " << i << " does nothing";
  }
  for (std::size_t i = count; i-- > 0;) {
    const auto down = Migrate({"down"});
    ASSERT_EQ(down.exit, ctl::kOk) << down.err;
    EXPECT_EQ(Catalogue(), after[i]) << "after " << down.out;
  }
  const auto up = Migrate({"up"});
  EXPECT_EQ(up.exit, ctl::kOk) << up.err;
  EXPECT_EQ(Catalogue(), after[count]);
}

TEST_F(RoundTripTest, StatusTellsWhatIsAppliedAndWhatIsNot) {
  Release(2);
  EXPECT_EQ(Migrate({"status"}).exit, ctl::kDiffers);
  EXPECT_THAT(Migrate({"status"}).out, HasSubstr("pending"));
  ASSERT_EQ(Migrate({"up"}).exit, ctl::kOk);
  EXPECT_EQ(Migrate({"status"}).exit, ctl::kOk);

  Release(Latest());
  const auto behind = Migrate({"status", "--json"});
  EXPECT_EQ(behind.exit, ctl::kDiffers);
  std::vector<std::string> states;
  for (const auto& one : nlohmann::json::parse(behind.out)) states.push_back(one["state"]);
  std::vector<std::string> expected(Latest(), "pending");
  expected[0] = expected[1] = "applied";
  EXPECT_EQ(states, expected);
  ASSERT_EQ(Migrate({"up"}).exit, ctl::kOk);
  EXPECT_THAT(Migrate({"up"}).out, HasSubstr("nothing to apply"));
}

TEST_F(RoundTripTest, DownTakesBackAsManyAsAskedForAndAllIfAskedTo) {
  Release(Latest());
  const std::string empty = Catalogue();
  ASSERT_EQ(Migrate({"up"}).exit, ctl::kOk);
  const auto two = Migrate({"down", "--steps", "2"});
  const auto all = ctl::ReadMigrations("migrations");
  std::string expected;
  for (std::size_t i = all.size(); i-- > all.size() - 2;) {
    expected += "took back " + all[i].schema + "/" + all[i].name + "\n";
  }
  EXPECT_EQ(two.out, expected);
  EXPECT_EQ(Migrate({"down", "--all"}).exit, ctl::kOk);
  EXPECT_EQ(Catalogue(), empty);
  EXPECT_THAT(Migrate({"down"}).out, HasSubstr("nothing to take back"));
}

TEST_F(RoundTripTest, TheStatusOfAnEmptyDatabaseWritesNothing) {
  Release(Latest());
  const std::string empty = Catalogue();
  EXPECT_EQ(Migrate({"status"}).exit, ctl::kDiffers);
  EXPECT_EQ(Catalogue(), empty);
}

}  // namespace
}  // namespace countersign
