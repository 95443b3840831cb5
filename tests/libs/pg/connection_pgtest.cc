#include "libs/pg/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "libs/pg/array.h"
#include "libs/pg/errors.h"
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

// Asks for the second of three elements, of which the first is NULL.
template <typename Value, typename T>
Value Second(Connection& db, const Query& query, const T& value) {
  Array<T> array;
  array.AddNull();
  array.Add(value);
  array.Add(std::optional<T>());
  return db.Execute(query, array).Only().template Get<Value>(0);
}

TEST_F(ConnectionTest, BringsElementsOfArraysThereUnchanged) {
  Connection db(Settings());
  const std::string text = "a \"b\" \\ {c}, NULL 'd' \xC3\xA4";
  EXPECT_EQ(Second<std::string>(db, {"texts", "SELECT ($1::text[])[2]"}, text), text);
  EXPECT_EQ(Second<std::string>(db, {"empty", "SELECT ($1::text[])[2]"}, std::string()), "");
  const std::array<std::uint8_t, 3> bytes{0x5C, 0x22, 0x00};
  EXPECT_EQ(Second<Bytes>(db, {"byteas", "SELECT ($1::bytea[])[2]"}, bytes),
            Bytes(bytes.begin(), bytes.end()));
  EXPECT_TRUE(Second<bool>(db, {"bools", "SELECT ($1::boolean[])[2]"}, true));
  for (const std::int32_t number : {INT32_MIN, -1, 0, 258, INT32_MAX})
    EXPECT_EQ(Second<std::int32_t>(db, {"ints", "SELECT ($1::int[])[2]"}, number), number);
  for (const std::int64_t number : {INT64_MIN, std::int64_t{-2}, INT64_MAX})
    EXPECT_EQ(Second<std::int64_t>(db, {"bigints", "SELECT ($1::bigint[])[2]"}, number), number);
  const Uuid uuid = *ParseUuid("0190163d-8694-739b-aea5-966c26f8ad90");
  EXPECT_EQ(Second<Uuid>(db, {"uuids", "SELECT ($1::uuid[])[2]"}, uuid), uuid);
  const Instant before_2000{std::chrono::microseconds(-1'500'001)};
  for (const Instant instant : {Instant::min(), before_2000, Instant::max()})
    EXPECT_EQ(Second<Instant>(db, {"times", "SELECT ($1::timestamptz[])[2]"}, instant), instant);
}

TEST_F(ConnectionTest, TellsNullElementsAndTheEmptyArrayFromEmptyTexts) {
  Connection db(Settings());
  constexpr Query kShape{"shape",
                         "SELECT format('%s %s %s', cardinality($1::text[]),"
                         " array_position($1::text[], NULL), array_position($1::text[], ''))"};
  Array<std::string> texts;
  EXPECT_EQ(Echo<std::string>(db, kShape, texts), "0  ");
  texts.Add(std::string("x"));
  texts.Add(std::string());
  texts.AddNull();
  EXPECT_EQ(Echo<std::string>(db, kShape, texts), "3 3 2");
}

TEST_F(ConnectionTest, ATextThatPostgresCouldNotHoldIsNoElement) {
  Array<std::string> texts;
  EXPECT_THROW(texts.Add(std::string("a\0b", 3)), InvalidText);
  EXPECT_THROW(texts.Add(std::string("\xFF")), InvalidText);
}

TEST_F(ConnectionTest, ArraysMayStandBetweenOtherParameters) {
  Connection db(Settings());
  constexpr Query kMixed{"mixed", "SELECT $1::text || ($2::text[])[1] || ($3::int[])[1] || $4"};
  Array<std::string> texts;
  texts.Add(std::string("b"));
  Array<int> numbers;
  numbers.Add(3);
  EXPECT_EQ(db.Execute(kMixed, "a", texts, numbers, "d").Only().Get<std::string>(0), "ab3d");
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

// What the server reports arrives as it was reported, whatever the client library makes of it.
class ServerErrorTest : public support::PgTest {
 protected:
  static void Raise(Connection& db, const std::string& sqlstate) {
    db.ExecuteScript("DO $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '" + sqlstate +
                     "'; END $$");
  }
};

TEST_F(ServerErrorTest, EverySqlstateOfARefusalIsKept) {
  for (const char* sqlstate :
       {"0A000", "21000", "22001", "22P02", "23001", "23502", "23503", "23505", "23514", "24000",
        "25001", "25006", "25P02", "26000", "28000", "2D000", "34000", "3D000", "3F000", "40000",
        "40001", "40002", "40P01", "42501", "42601", "42703", "42883", "42P01", "42P07", "44000",
        "53000", "53100", "53200", "53400", "54000", "55000", "55006", "55P03", "57014", "58000",
        "58030", "P0001", "P0002", "P0003", "XX000", "XX001", "ZZ999"}) {
    Connection db(Settings());
    try {
      Raise(db, sqlstate);
      ADD_FAILURE() << sqlstate << " was not thrown";
    } catch (const Refused& fault) {
      EXPECT_EQ(fault.sqlstate(), sqlstate);
      EXPECT_THAT(fault.what(), testing::HasSubstr(sqlstate));
    } catch (const std::exception& fault) {
      ADD_FAILURE() << sqlstate << " came as another fault: " << fault.what();
    }
  }
}

TEST_F(ServerErrorTest, TheOnesThatCallersTellApartHaveTypesOfTheirOwn) {
  Connection db(Settings());
  EXPECT_THROW(Raise(db, "23505"), UniqueViolation);
  EXPECT_THROW(Raise(db, "55P03"), LockTimeout);
  EXPECT_THROW(Raise(db, "57014"), StatementTimeout);
  EXPECT_THROW(Raise(db, "40001"), Conflict);
  EXPECT_THROW(Raise(db, "40P01"), Conflict);
}

TEST_F(ServerErrorTest, AStatementWhoseEndTheServerDoesNotKnowIsInDoubt) {
  Connection db(Settings());
  try {
    Raise(db, "40003");
    FAIL();
  } catch (const Unavailable& fault) {
    EXPECT_TRUE(fault.InDoubt());
  }
}

TEST_F(ServerErrorTest, ADataExceptionDoesNotQuoteTheValue) {
  Connection db(Settings());
  constexpr Query kCast{"cast", "SELECT $1::text::uuid"};
  try {
    db.Execute(kCast, "+4915112345678");
    FAIL();
  } catch (const Refused& fault) {
    EXPECT_THAT(fault.what(), testing::Not(testing::HasSubstr("4915112345678")));
  }
}

TEST_F(ServerErrorTest, AConflictDoesNotPrintTheKey) {
  Connection db(Settings());
  db.ExecuteScript("CREATE TEMP TABLE numbers (number text PRIMARY KEY)");
  constexpr Query kInsert{"insert", "INSERT INTO numbers VALUES ($1)"};
  db.Execute(kInsert, "+4915112345678");
  try {
    db.Execute(kInsert, "+4915112345678");
    FAIL();
  } catch (const UniqueViolation& fault) {
    EXPECT_THAT(fault.what(), testing::Not(testing::HasSubstr("4915112345678")));
  }
}

TEST_F(ServerErrorTest, LimitsOfTheServerHoldFromTheFirstStatement) {
  auto settings = Settings();
  settings.statement_timeout = milliseconds(50);
  Connection db(settings);
  constexpr Query kSleep{"sleep", "SELECT pg_sleep(5)"};
  EXPECT_THROW(db.Execute(kSleep), StatementTimeout);
  EXPECT_TRUE(db.Usable());
}

TEST_F(ServerErrorTest, AConnectionThatWasLostIsNeverMadeAnewBehindItsOwnersBack) {
  Connection db(Settings());
  constexpr Query kTerminate{"terminate", "SELECT pg_terminate_backend($1, 5000)"};
  Connection(Settings()).Execute(kTerminate, db.BackendPid());
  EXPECT_FALSE(db.Usable());
  constexpr Query kOne{"one", "SELECT 1"};
  EXPECT_THROW(db.Execute(kOne), Unavailable);
  for (int i = 0; i < 3; ++i) {
    try {
      db.Execute(kOne);
      FAIL() << "it reconnected";
    } catch (const Unavailable& fault) {
      EXPECT_FALSE(fault.InDoubt()) << "nothing was sent";
    }
  }
}

TEST_F(ServerErrorTest, ARefusedConnectionNamesNeitherHostNorUser) {
  auto settings = Settings();
  settings.conninfo = Secret(WithKeyword(settings.conninfo.Reveal(), "password", "wrong-secret"));
  try {
    const Connection db(settings);
    FAIL();
  } catch (const Unavailable& fault) {
    EXPECT_FALSE(fault.InDoubt());
    EXPECT_STREQ(fault.what(), "cannot connect to the database");
  }
}

}  // namespace
}  // namespace countersign::pg
