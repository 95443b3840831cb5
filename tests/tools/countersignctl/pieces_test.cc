// The small readers of this tool: migration files, metric pages, Begin messages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/countersignctl/begin_message.h"
#include "tools/countersignctl/command.h"
#include "tools/countersignctl/metrics_page.h"
#include "tools/countersignctl/migration.h"
#include "tools/countersignctl/slot_status.h"

namespace countersign::ctl {
namespace {

using testing::HasSubstr;

constexpr std::string_view kWhole =
    "-- migrate:up\nCREATE TABLE t ();\n-- migrate:down\nDROP TABLE t;\n";

std::string FaultOf(std::string_view text) {
  try {
    static_cast<void>(ParseMigration("auth", "0001_t", text));
    return "";
  } catch (const Failure& fault) {
    return fault.what();
  }
}

TEST(MigrationTest, SplitsUpFromDown) {
  const auto migration = ParseMigration("auth", "0001_t", kWhole);
  EXPECT_EQ(migration.up, "CREATE TABLE t ();\n");
  EXPECT_EQ(migration.down, "DROP TABLE t;\n");
  EXPECT_EQ(migration.checksum.size(), 64U);
}

TEST(MigrationTest, TheChecksumIsThatOfTheUpSection) {
  const auto before = ParseMigration("auth", "0001_t", kWhole);
  EXPECT_EQ(ParseMigration("auth", "0001_t",
                           "-- migrate:up\nCREATE TABLE t ();\n-- migrate:down\nDROP TABLE IF "
                           "EXISTS t;\n")
                .checksum,
            before.checksum);
  EXPECT_NE(ParseMigration("auth", "0001_t",
                           "-- migrate:up\nCREATE TABLE t (x int);\n-- migrate:down\nDROP TABLE "
                           "t;\n")
                .checksum,
            before.checksum);
}

TEST(MigrationTest, RefusesAFileWhoseSectionsAreNotClear) {
  for (const std::string_view text :
       {"", "CREATE TABLE t ();\n", "\n-- migrate:up\nx\n-- migrate:down\ny\n",
        "-- migrate:up\nx\n", "-- migrate:up\n\n-- migrate:down\ny\n",
        "-- migrate:up\nx\n-- migrate:down\n \n",
        "-- migrate:up\nx\n-- migrate:down\ny\n-- migrate:down\nz\n",
        "-- migrate:up\nx\n-- migrate:up\ny\n-- migrate:down\nz\n",
        "-- migrate:down\ny\n-- migrate:up\nx\n"}) {
    EXPECT_THAT(FaultOf(text), HasSubstr("auth/0001_t")) << text;
  }
}

TEST(MigrationTest, ReadsThoseOfThisReleaseInTheirOrder) {
  const auto all = ReadMigrations("migrations");
  ASSERT_GE(all.size(), 4U);
  EXPECT_EQ(all[0].schema, "auth");
  EXPECT_EQ(all[0].name, "0001_event_log");
  EXPECT_EQ(all.back().schema, "relay");
  EXPECT_TRUE(std::ranges::is_sorted(
      all, {}, [](const Migration& migration) { return migration.schema + migration.name; }));
}

TEST(MetricsPageTest, FindsTheValueOfAMetricWithoutLabels) {
  constexpr std::string_view kPage =
      "# HELP relay_lag_seconds Age\n# TYPE relay_lag_seconds gauge\nrelay_lag_seconds 1.5\n"
      "relay_lag_seconds_total 9\nother{a=\"b\"} 3\nlast 2e3";
  EXPECT_EQ(FindMetric(kPage, "relay_lag_seconds"), 1.5);
  EXPECT_EQ(FindMetric(kPage, "last"), 2000);
  EXPECT_EQ(FindMetric(kPage, "relay_lag"), std::nullopt);
  EXPECT_EQ(FindMetric(kPage, "other"), std::nullopt);
  EXPECT_EQ(FindMetric("", "x"), std::nullopt);
  EXPECT_EQ(FindMetric("x ", "x"), std::nullopt);
  EXPECT_EQ(FindMetric("x word", "x"), std::nullopt);
}

TEST(MetricsPageTest, NobodyWhoAnswersIsNoValue) {
  EXPECT_EQ(ReadMetric("127.0.0.1:1", "x"), std::nullopt);
  EXPECT_EQ(ReadMetric("nonsense", "x"), std::nullopt);
}

TEST(SlotStatusTest, TellsALostSlotFromOneThatWillBe) {
  EXPECT_THAT(SlotStatus{.wal_status = "lost"}.WalTrouble(), HasSubstr("the slot is lost"));
  EXPECT_THAT(SlotStatus{.wal_status = "unreserved"}.WalTrouble(), HasSubstr("about to be lost"));
  for (const char* well : {"reserved", "extended", ""}) {
    EXPECT_EQ(SlotStatus{.wal_status = well}.WalTrouble(), "") << well;
  }
}

TEST(BeginMessageTest, ReadsTheTimeOfTheCommit) {
  Bytes message = {'B', 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40, 0, 0, 0, 7};
  EXPECT_EQ(CommitTime(message), Instant{std::chrono::sys_days{std::chrono::year{2000} / 1 / 1}} +
                                     std::chrono::seconds(1));
  message[0] = 'I';
  EXPECT_EQ(CommitTime(message), std::nullopt);
  EXPECT_EQ(CommitTime({}), std::nullopt);
  EXPECT_EQ(CommitTime({'B', 0, 0}), std::nullopt);
}

}  // namespace
}  // namespace countersign::ctl
