#include "libs/outbox/event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "libs/core/random.h"
#include "libs/core/uuid.h"
#include "libs/pg/connection.h"
#include "libs/pg/errors.h"
#include "tests/support/database.h"

namespace countersign::outbox {
namespace {

constexpr pg::Query kAppend{"append", R"sql(
  INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, headers)
  SELECT e.event_id, e.topic, e.key, e.type, e.command + 1, e.payload::json, e.headers::json
    FROM unnest($1::int[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
         AS e (command, event_id, topic, key, type, payload, headers)
)sql"};
constexpr pg::Query kRead{"read", R"sql(
  SELECT event_id, topic, type, seq, payload::text, headers::text
    FROM auth.event_log WHERE key = $1 ORDER BY id
)sql"};

class EventTest : public support::PgTest {
 protected:
  Event Draw(const std::string& payload = "{}") {
    return {.event_id = RandomUuid(random_),
            .topic = "auth.log",
            .key = ToString(key_),
            .type = "session.logged_in",
            .payload_json = payload};
  }
  static void Append(const EventColumns& columns) {
    pg::Connection db(Settings("countersign_auth"));
    db.Execute(kAppend, columns.command, columns.event_id, columns.topic, columns.key, columns.type,
               columns.payload, columns.headers);
  }
  SystemRandom random_;
  const Uuid key_ = RandomUuid(random_);
};

TEST_F(EventTest, ArrivesInTheLogAsItWasWritten) {
  auto event = Draw(R"({"name": "O'Brien \"x\" \\ {a,b} NULL", "n":  1.0, "ä": "\u00e4"})");
  event.headers_json = R"({"traceparent": "00-a-b-01"})";
  Append(Columns(std::vector{event}));
  pg::Connection db(Settings());
  const auto rows = db.Execute(kRead, event.key);
  const auto row = rows.Only();
  EXPECT_EQ(row.Get<Uuid>("event_id"), event.event_id);
  EXPECT_EQ(row.Get<std::string>("topic"), event.topic);
  EXPECT_EQ(row.Get<std::string>("type"), event.type);
  EXPECT_EQ(row.Get<std::string>("payload"), event.payload_json);
  EXPECT_EQ(row.Get<std::string>("headers"), event.headers_json);
}

TEST_F(EventTest, WithoutHeadersItHasAnEmptyObject) {
  const auto event = Draw();
  Append(Columns(std::vector{event}));
  pg::Connection db(Settings());
  EXPECT_EQ(db.Execute(kRead, event.key).Only().Get<std::string>("headers"), "{}");
}

TEST_F(EventTest, TheEventsOfABatchKeepTheirOrderAndTheirCommands) {
  EventColumns columns;
  std::vector<Event> events;
  for (int command = 0; command < 3; ++command) {
    for (int i = 0; i < 2; ++i) {
      events.push_back(Draw("\"" + std::to_string(command) + "." + std::to_string(i) + "\""));
      columns.Add(command, events.back());
    }
  }
  Append(columns);
  pg::Connection db(Settings());
  const auto rows = db.Execute(kRead, ToString(key_));
  ASSERT_EQ(rows.size(), events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(rows[i].Get<Uuid>("event_id"), events[i].event_id);
    EXPECT_EQ(rows[i].Get<std::string>("payload"), events[i].payload_json);
    EXPECT_EQ(rows[i].Get<int>("seq"), static_cast<int>(i) / 2 + 1);
  }
}

TEST_F(EventTest, NoEventsAreNoRows) {
  Append(Columns({}));
  pg::Connection db(Settings());
  EXPECT_TRUE(db.Execute(kRead, ToString(key_)).empty());
}

// A text cut at a NUL, or half a batch, must never reach the log.
TEST_F(EventTest, RefusesTextsThatPostgresWouldNotKeep) {
  EventColumns columns;
  auto event = Draw();
  event.payload_json = std::string("{}\0", 3);
  EXPECT_THROW(columns.Add(0, event), pg::InvalidText);
  event = Draw();
  event.key = "\xff";
  EXPECT_THROW(static_cast<void>(Columns(std::vector{event})), pg::InvalidText);
}

TEST_F(EventTest, APayloadThatIsNoJsonIsRefusedByTheDatabase) {
  EXPECT_THROW(Append(Columns(std::vector{Draw("no json")})), pg::Refused);
  pg::Connection db(Settings());
  EXPECT_TRUE(db.Execute(kRead, ToString(key_)).empty());
}

}  // namespace
}  // namespace countersign::outbox
