#include "libs/pg/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "libs/pg/array.h"
#include "tests/support/database.h"

namespace countersign::pg {
namespace {

using ConnectionTest = support::PgTest;
using std::chrono::milliseconds;

template <typename T, typename Value = T>
T Echo(Connection& db, const Query& query, const Value& value) {
  return db.Execute(query, value).Only().template Get<T>(0);
}

TEST_F(ConnectionTest, BringsEveryTypeThereAndBackUnchanged) {
  Connection db(Settings());
  EXPECT_EQ(Echo<std::string>(db, {"text", "SELECT $1::text"}, "a \"b\" \\ {c}, 'd' \xC3\xA4"),
            "a \"b\" \\ {c}, 'd' \xC3\xA4");
  EXPECT_EQ(Echo<std::int64_t>(db, {"int8", "SELECT $1::bigint"}, INT64_MIN), INT64_MIN);
  EXPECT_EQ(Echo<double>(db, {"float8", "SELECT $1::float8"}, 0.1), 0.1);
  EXPECT_EQ(Echo<bool>(db, {"bool", "SELECT $1::boolean"}, true), true);
  const Bytes bytes{0, 255, 92, 39, 34};
  EXPECT_EQ(Echo<Bytes>(db, {"bytea", "SELECT $1::bytea"}, bytes), bytes);
  const Uuid uuid = *ParseUuid("0190163d-8694-739b-aea5-966c26f8ad90");
  EXPECT_EQ(Echo<Uuid>(db, {"uuid", "SELECT $1::uuid"}, uuid), uuid);
}

TEST_F(ConnectionTest, BringsElementsOfArraysThereUnchanged) {
  Connection db(Settings());
  const std::array<std::uint8_t, 3> bytes{0x5C, 0x22, 0x00};
  Array<std::array<std::uint8_t, 3>> of_bytes;
  of_bytes.Add(bytes);
  EXPECT_EQ(Echo<Bytes>(db, {"bytea_element", "SELECT ($1::bytea[])[1]"}, of_bytes),
            Bytes(bytes.begin(), bytes.end()));
}

TEST_F(ConnectionTest, KeepsMicrosecondsAndInfinities) {
  Connection db(Settings());
  constexpr Query kInstant{"instant", "SELECT $1::timestamptz"};
  const Instant instant{std::chrono::microseconds(1'767'322'445'000'006)};
  EXPECT_EQ(Echo<Instant>(db, kInstant, instant), instant);
  const Instant whole{std::chrono::seconds(1'767'322'445)};
  EXPECT_EQ(Echo<Instant>(db, kInstant, whole), whole);
  const Instant before_1970{std::chrono::microseconds(-1'500'000)};
  EXPECT_EQ(Echo<Instant>(db, kInstant, before_1970), before_1970);
  EXPECT_EQ(Echo<Instant>(db, kInstant, Instant::min()), Instant::min());
  EXPECT_EQ(Echo<Instant>(db, kInstant, Instant::max()), Instant::max());
}

}  // namespace
}  // namespace countersign::pg
