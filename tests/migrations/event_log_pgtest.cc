// The event logs of both services: append-only for everybody, in partitions that are there in time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "libs/pg/connection.h"
#include "libs/pg/errors.h"
#include "tests/migrations/event_log.h"

namespace countersign {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

INSTANTIATE_TEST_SUITE_P(Schemas, EventLogTest, testing::Values("auth", "otp"), SchemaName);

// The SQLSTATE a statement is refused with, empty if it is not.
std::string RefusalOf(pg::Connection& db, const std::string& sql) {
  try {
    db.ExecuteScript(sql);
    return "";
  } catch (const pg::Refused& fault) {
    return fault.sqlstate();
  }
}

TEST_P(EventLogTest, DB3_NobodyMayChangeWhatIsWrittenNotEvenTheOwner) {
  pg::Connection owner(Settings());
  std::vector<std::string> tables = Partitions();
  ASSERT_THAT(tables, SizeIs(testing::Ge(15U)));
  for (std::size_t day = 0; day < tables.size(); ++day) Append(owner, {.days_from_now = int(day)});
  tables.push_back(schema() + ".event_log");
  const std::size_t before = Count();
  pg::Connection service(Settings("countersign_" + schema()));
  pg::Connection relay(Settings("countersign_relay"));
  for (const std::string& table : tables) {
    const std::string key = ScalarText("SELECT min(key) FROM " + table);
    ASSERT_FALSE(key.empty()) << table << " holds no row to change";
    for (pg::Connection* db : {&owner, &service, &relay}) {
      EXPECT_EQ(RefusalOf(*db, "UPDATE " + table + " SET topic = 'forged'"), "42501") << table;
      EXPECT_EQ(RefusalOf(*db, "DELETE FROM " + table), "42501") << table;
      EXPECT_EQ(RefusalOf(*db, "TRUNCATE " + table), "42501") << table;
      EXPECT_EQ(RefusalOf(*db, "TRUNCATE " + table + " CASCADE"), "42501") << table;
    }
    EXPECT_EQ(
        RefusalOf(owner,
                  "INSERT INTO " + table + " SELECT * FROM " + table +
                      " LIMIT 1 ON CONFLICT (id, occurred_at) DO UPDATE SET topic = 'forged'"),
        "42501")
        << table;
  }
  EXPECT_EQ(Count(), before);
  EXPECT_EQ(ScalarText("SELECT count(*) FROM " + schema() + ".event_log WHERE topic = 'forged'"),
            "0");
}

TEST_P(EventLogTest, DB3_APartitionMadeLaterIsAppendOnlyToo) {
  DropPartitions(14, 14);
  pg::Connection service(Settings("countersign_" + schema()));
  EXPECT_EQ(LogMake(service, 14), 1);
  pg::Connection owner(Settings());
  Append(owner, {.days_from_now = 14});
  const std::string table = Partitions().back();
  EXPECT_EQ(RefusalOf(owner, "UPDATE " + table + " SET topic = 'forged'"), "42501");
  EXPECT_EQ(RefusalOf(owner, "DELETE FROM " + table), "42501");
  EXPECT_EQ(RefusalOf(owner, "TRUNCATE " + table), "42501");
  // It belongs to the owner of the log, whoever asked for it.
  EXPECT_EQ(
      ScalarText("SELECT relowner = (SELECT relowner FROM pg_class WHERE oid = '" + schema() +
                 ".event_log'::regclass) FROM pg_class WHERE oid = '" + table + "'::regclass"),
      "true");
  EXPECT_EQ(RefusalOf(service, "INSERT INTO " + table + " SELECT * FROM " + table), "42501");
  EXPECT_EQ(RefusalOf(service, "DROP TABLE " + table), "42501");
}

TEST_P(EventLogTest, DB3_TheServiceMayAppendAndRead) {
  pg::Connection service(Settings("countersign_" + schema()));
  const std::size_t before = Count();
  Append(service, {});
  EXPECT_EQ(Count(), before + 1);
}

TEST_P(EventLogTest, ThePayloadIsKeptByteForByte) {
  pg::Connection service(Settings("countersign_" + schema()));
  const std::string payload = R"({"b": 1,  "a":"\u00e4", "b": 1.10})";
  Append(service, {.key = "verbatim", .payload = payload});
  EXPECT_EQ(ScalarText("SELECT payload::text FROM " + schema() +
                       ".event_log WHERE key = 'verbatim' ORDER BY id DESC LIMIT 1"),
            payload);
}

TEST_P(EventLogTest, RefusesAnEventWithoutTopicOrWithASequenceBelowOne) {
  pg::Connection service(Settings("countersign_" + schema()));
  EXPECT_THROW(Append(service, {.topic = ""}), pg::Refused);
  EXPECT_THROW(Append(service, {.seq = 0}), pg::Refused);
  EXPECT_THROW(Append(service, {.payload = "no json"}), pg::Refused);
}

TEST_P(EventLogTest, PartitionsAreThereAheadOfTime) {
  EXPECT_GE(std::stoi(ScalarText("SELECT " + schema() + ".log_days_ahead()")), 14);
  pg::Connection owner(Settings());
  Append(owner, {.days_from_now = 7});
  EXPECT_THROW(Append(owner, {.days_from_now = 400}), pg::Refused);
}

TEST_P(EventLogTest, EveryPartitionIsOneDayOfUtc) {
  EXPECT_EQ(ScalarText("SELECT count(*) FROM (SELECT pg_get_expr(c.relpartbound, c.oid) AS bound, "
                       "to_date(right(c.relname, 8), 'YYYYMMDD') AS day FROM pg_inherits i JOIN "
                       "pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = '" +
                       schema() +
                       ".event_log'::regclass OFFSET 0) p WHERE bound <> format('FOR VALUES FROM "
                       "(''%s 00:00:00+00'') TO (''%s 00:00:00+00'')', day, day + 1)"),
            "0");
}

// Ids are drawn under the lock of the aggregate, so that they, `seq` and the commits agree.
TEST_P(EventLogTest, WithinAKeyIdsAndSequenceNumbersGoUpTogether) {
  constexpr int kThreads = 8;
  constexpr int kEach = 40;
  pg::Connection owner(Settings());
  owner.ExecuteScript(
      "DROP TABLE IF EXISTS aggregates; CREATE TABLE aggregates (key text PRIMARY "
      "KEY, seq bigint NOT NULL); INSERT INTO aggregates SELECT 'ordered' || n, 0 "
      "FROM generate_series(0, 3) n");
  const std::string sql =
      "WITH next AS (UPDATE aggregates SET seq = seq + 1 WHERE key = $1 RETURNING key, seq) "
      "INSERT INTO " +
      schema() +
      ".event_log (event_id, topic, key, type, seq, payload) "
      "SELECT gen_random_uuid(), 'test', key, 'test', seq, '{}' FROM next";
  {
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        auto settings = Settings();
        settings.lock_timeout = std::chrono::seconds(10);
        settings.statement_timeout = std::chrono::seconds(10);
        pg::Connection db(settings);
        for (int i = 0; i < kEach; ++i) {
          db.Execute({"append", sql}, "ordered" + std::to_string((thread + i) % 4));
        }
      });
    }
  }
  EXPECT_EQ(ScalarText("SELECT count(*) FROM " + schema() + ".event_log WHERE key LIKE 'ordered%'"),
            std::to_string(kThreads * kEach));
  EXPECT_EQ(ScalarText("SELECT count(*) FROM (SELECT seq, row_number() OVER (PARTITION BY key "
                       "ORDER BY id) AS place FROM " +
                       schema() +
                       ".event_log WHERE key LIKE "
                       "'ordered%') o WHERE seq <> place"),
            "0");
}

TEST_P(EventLogTest, TheSequenceOfIdsKeepsNoneInReserve) {
  EXPECT_EQ(ScalarText("SELECT seqcache FROM pg_sequence WHERE seqrelid = '" + schema() +
                       ".event_log_id'::regclass"),
            "1");
}

TEST_P(EventLogTest, ThePublicationTellsInsertsUnderTheNameOfTheLog) {
  EXPECT_EQ(ScalarText("SELECT concat(pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot, "
                       "puballtables) FROM pg_publication WHERE pubname = 'countersign_" +
                       schema() + "'"),
            "tffftf");
  EXPECT_EQ(ScalarText("SELECT string_agg(schemaname || '.' || tablename, ',') FROM "
                       "pg_publication_tables WHERE pubname = 'countersign_" +
                       schema() + "'"),
            schema() + ".event_log");
}

// A slot that is older than its publication never decodes again; migrations make the publication.
TEST_P(EventLogTest, ASlotMadeAfterTheMigrationDecodesAnEvent) {
  // Making a slot waits for every transaction that runs on the server now.
  auto settings = Settings();
  settings.lock_timeout = settings.statement_timeout = std::chrono::seconds(30);
  pg::Connection owner(settings);
  const std::string slot = "decodes_" + schema() + std::to_string(owner.BackendPid());
  owner.ExecuteScript("SELECT pg_create_logical_replication_slot('" + slot + "', 'pgoutput')");
  Append(owner, {.key = "decoded"});
  const std::string decoded = ScalarText(
      "SELECT string_agg(encode(data, 'escape'), '') FROM pg_logical_slot_get_binary_changes('" +
      slot + "', NULL, NULL, 'proto_version', '1', 'publication_names', 'countersign_" + schema() +
      "')");
  owner.ExecuteScript("SELECT pg_drop_replication_slot('" + slot + "')");
  EXPECT_THAT(decoded, HasSubstr("decoded"));
  EXPECT_THAT(decoded, HasSubstr("event_log"));
}

}  // namespace
}  // namespace countersign
