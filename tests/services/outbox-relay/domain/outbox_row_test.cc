#include "services/outbox-relay/domain/outbox_row.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace countersign::relay {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

Relation EventLog() {
  return {.oid = 1,
          .schema = "auth",
          .table = "event_log",
          .columns = {"id", "xid", "event_id", "topic", "key", "type", "seq", "payload", "headers",
                      "occurred_at"}};
}
std::vector<Field> Fields(const std::vector<std::string_view>& texts) {
  std::vector<Field> fields;
  fields.reserve(texts.size());
  for (const auto text : texts) fields.push_back({.present = true, .text = text});
  return fields;
}
constexpr std::string_view kTime = "2026-01-02 03:04:05.6+00";
std::vector<Field> WholeRow() {
  return Fields({"7", "800", "e-1", "user.created", "u-1", "user.created", "3", "{\"a\": 1}",
                 "{\"traceparent\":\"00-x\"}", kTime});
}

TEST(MapTableTest, FindsTheColumnsByTheirNames) {
  const auto table = MapTable(EventLog(), {}, "/countersign/");
  ASSERT_TRUE(table) << table.error();
  EXPECT_EQ(table->name, "auth.event_log");
  EXPECT_EQ(table->source, "/countersign/auth");
  EXPECT_EQ(table->event_id, 2);
  EXPECT_EQ(table->payload, 7);
  EXPECT_EQ(table->occurred_at, 9);
}

TEST(MapTableTest, FindsRenamedColumns) {
  ColumnNames names;
  names.payload = "body";
  auto relation = EventLog();
  relation.columns[7] = "body";
  const auto table = MapTable(relation, names, "/x/");
  ASSERT_TRUE(table) << table.error();
  EXPECT_EQ(table->payload, 7);
}

TEST(MapTableTest, NamesTheColumnThatLacks) {
  for (const char* column : {"event_id", "topic", "key", "payload", "id", "seq"}) {
    auto relation = EventLog();
    std::erase(relation.columns, column);
    const auto table = MapTable(relation, {}, "/x/");
    ASSERT_FALSE(table) << column;
    EXPECT_THAT(table.error(), HasSubstr("auth.event_log"));
    EXPECT_THAT(table.error(), HasSubstr("\"" + std::string(column) + "\""));
  }
}

TEST(MapTableTest, DoesWithoutColumnsThatAreNotRequired) {
  ColumnNames names;
  names.required = {};
  const Relation relation{
      .oid = 1, .schema = "s", .table = "t", .columns = {"payload", "key", "topic", "event_id"}};
  const auto table = MapTable(relation, names, "/x/");
  ASSERT_TRUE(table) << table.error();
  EXPECT_EQ(table->seq, -1);
  const auto fields = Fields({"{}", "k", "t", "e"});
  const auto row = ReadRow(*table, fields);
  ASSERT_TRUE(row) << row.error();
  EXPECT_EQ(row->event_id, "e");
  EXPECT_EQ(row->seq, "");
}

class OutboxRowTest : public testing::Test {
 protected:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  // The headers of a row, or the error under the name "error".
  Headers Build(const std::vector<Field>& fields) {
    const auto row = ReadRow(table_, fields);
    if (!row) return {{"error", row.error()}};
    const auto built = builder_.Build(*row, table_.source, "0/16B3748");
    if (!built) return {{"error", built.error()}};
    Headers headers;
    for (const auto& [name, value] : **built) headers.emplace_back(name, value);
    return headers;
  }
  // The row with another value in one column.
  static std::vector<Field> With(std::size_t column, std::string_view text) {
    auto fields = WholeRow();
    fields[column].text = text;
    return fields;
  }

  Table table_ = *MapTable(EventLog(), {}, "/countersign/");
  HeaderBuilder builder_;
};

TEST_F(OutboxRowTest, MakesTheHeadersOfCloudEvents) {
  EXPECT_THAT(Build(WholeRow()),
              ElementsAre(Pair("ce_specversion", "1.0"), Pair("ce_id", "e-1"),
                          Pair("ce_source", "/countersign/auth"), Pair("ce_type", "user.created"),
                          Pair("ce_subject", "u-1"), Pair("ce_time", "2026-01-02T03:04:05.600000Z"),
                          Pair("ce_sequence", "3"), Pair("content-type", "application/json"),
                          Pair("traceparent", "00-x"), Pair("outbox_id", "7"),
                          Pair("commit_lsn", "0/16B3748")));
}

TEST_F(OutboxRowTest, ATableWithoutTypeHasOneKindOfEventATopic) {
  EXPECT_THAT(Build(With(5, "")), Contains(Pair("ce_type", "user.created")));
}

TEST_F(OutboxRowTest, ARowCannotPassItselfOffAsAnotherEvent) {
  for (const char* name :
       {"ce_id", "ce_type", "ce_anything", "content-type", "outbox_id", "commit_lsn", ""}) {
    const std::string own = "{\"" + std::string(name) + "\":\"forged\"}";
    EXPECT_THAT(Build(With(8, own)), ElementsAre(Pair("error", HasSubstr("e-1")))) << name;
  }
  EXPECT_THAT(Build(With(8, R"({"\u0063e_id":"forged"})")),
              ElementsAre(Pair("error", HasSubstr("e-1"))));
}

// Header names are case-insensitive to many consumers.
TEST_F(OutboxRowTest, ARowCannotPassItselfOffByCapitals) {
  for (const char* name : {"CE_ID", "Ce_Type", "Content-Type", "Outbox_Id", "COMMIT_LSN"}) {
    const std::string own = "{\"" + std::string(name) + "\":\"forged\"}";
    EXPECT_THAT(Build(With(8, own)), ElementsAre(Pair("error", HasSubstr("e-1")))) << name;
  }
}

TEST_F(OutboxRowTest, NamesTheEventWhoseHeadersCannotBeRead) {
  for (const char* own : {"{\"a\":1}", "[]", "no json", "{\"a\":\"b\""}) {
    EXPECT_THAT(Build(With(8, own)), ElementsAre(Pair("error", HasSubstr("e-1")))) << own;
  }
}

TEST_F(OutboxRowTest, RefusesARowWithoutIdTopicOrPayload) {
  EXPECT_THAT(Build(With(2, "")), ElementsAre(Pair("error", HasSubstr("no event id"))));
  EXPECT_THAT(Build(With(3, "")), ElementsAre(Pair("error", HasSubstr("e-1 names no topic"))));
  auto fields = WholeRow();
  fields[7] = {};
  EXPECT_THAT(Build(fields), ElementsAre(Pair("error", HasSubstr("e-1 has no payload"))));
}

TEST_F(OutboxRowTest, RefusesARowOfAnotherShape) {
  auto fields = WholeRow();
  fields.pop_back();
  EXPECT_THAT(Build(fields), ElementsAre(Pair("error", HasSubstr("auth.event_log"))));
}

TEST_F(OutboxRowTest, RefusesATimeItCannotRead) {
  EXPECT_THAT(Build(With(9, "infinity")), ElementsAre(Pair("error", HasSubstr("e-1"))));
}

TEST_F(OutboxRowTest, HeadersOfOneEventDoNotLeakIntoTheNext) {
  static_cast<void>(Build(WholeRow()));
  EXPECT_THAT(Build(With(8, "{}")), testing::Not(Contains(Pair("traceparent", testing::_))));
}

TEST(ToRfc3339Test, ReadsATimestampInUtc) {
  const std::map<std::string, std::string> cases = {
      {"2026-01-02 03:04:05+00", "2026-01-02T03:04:05.000000Z"},
      {"2026-01-02 03:04:05.6+00", "2026-01-02T03:04:05.600000Z"},
      {"2026-12-31 23:59:59.999999+00", "2026-12-31T23:59:59.999999Z"}};
  for (const auto& [from, to] : cases) EXPECT_EQ(ToRfc3339(from), to);
}

TEST(ToRfc3339Test, RefusesEverythingElse) {
  for (const char* text :
       {"", "+00", "infinity", "2026-01-02 03:04:05", "2026-01-02 03:04:05+01",
        "2026-01-02 03:04:05.+00", "2026-01-02 03:04:05.1234567+00", "2026-01-02 03:04:05.x+00",
        "2026-01-02T03:04:05+00", "02026-01-02 03:04:05+00", "2026-1-02 03:04:05+00",
        "2026-01-02 03:04:05 BC+00", "2026-01-02 03:04:05x+00"}) {
    EXPECT_EQ(ToRfc3339(text), "") << text;
  }
}

}  // namespace
}  // namespace countersign::relay
