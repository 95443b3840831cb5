#pragma once
// What the tests of an event log share. The parameter is the schema.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "libs/pg/connection.h"
#include "tests/support/database.h"

namespace countersign {

struct TestEvent {
  std::string topic = "test";
  std::string key = "somebody";
  std::string payload = "{}";
  long seq = 1;
  int days_from_now = 0;
};

class EventLogTest : public support::PgTest, public testing::WithParamInterface<const char*> {
 protected:
  [[nodiscard]] static std::string schema() { return GetParam(); }

  // The only value of a query, as text; empty for NULL.
  [[nodiscard]] static std::string ScalarText(const std::string& sql) {
    pg::Connection db(Settings());
    const std::string as_text = "SELECT (" + sql + ")::text";
    return db.Execute({"scalar", as_text}).Only().Get<std::optional<std::string>>(0).value_or("");
  }
  static void Append(pg::Connection& db, const TestEvent& event) {
    const std::string sql =
        "INSERT INTO " + schema() +
        ".event_log (event_id, topic, key, type, seq, payload, occurred_at) VALUES "
        "(gen_random_uuid(), $1, $2, 'test', $3, $4::json, clock_timestamp() + $5 * interval '1 "
        "day')";
    db.Execute({"append", sql}, event.topic, event.key, event.seq, event.payload,
               event.days_from_now);
  }
  [[nodiscard]] static std::size_t Count() {
    return std::stoul(ScalarText("SELECT count(*) FROM " + schema() + ".event_log"));
  }
  // In the order of their days.
  [[nodiscard]] static std::vector<std::string> Partitions() {
    constexpr pg::Query kPartitions{
        "partitions",
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::text::regclass "
        "ORDER BY 1"};
    pg::Connection db(Settings());
    std::vector<std::string> names;
    for (const auto row : db.Execute(kPartitions, schema() + ".event_log")) {
      names.push_back(row.Get<std::string>(0));
    }
    return names;
  }
  // As if nobody had made them; counted in days from now.
  static void DropPartitions(int first, int last) {
    pg::Connection(Settings())
        .ExecuteScript("DO $$ BEGIN FOR day IN " + std::to_string(first) + " .. " +
                       std::to_string(last) + " LOOP EXECUTE 'DROP TABLE IF EXISTS " + schema() +
                       ".event_log_' || to_char((now() AT TIME ZONE 'UTC')::date + day, "
                       "'YYYYMMDD'); END LOOP; END $$");
  }
  static int LogMake(pg::Connection& db, int days_ahead) {
    const std::string sql = "SELECT " + schema() + ".log_make($1)";
    return db.Execute({"log_make", sql}, days_ahead).Only().Get<int>(0);
  }
};

inline std::string SchemaName(const testing::TestParamInfo<const char*>& schema) {
  return schema.param;
}

}  // namespace countersign
