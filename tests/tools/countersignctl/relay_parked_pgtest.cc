#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "libs/core/hex.h"
#include "libs/core/random.h"
#include "libs/pg/connection.h"
#include "tests/support/database.h"
#include "tests/tools/countersignctl/ctl_run.h"

namespace countersign::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class RelayParkedTest : public support::PgTest {
 protected:
  void SetUp() override {
    PgTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    SystemRandom random;
    slot_ = "parked_" + ToHex(random.Bytes(6));
  }
  void Park(const std::string& topic, const std::string& key, const std::string& event) const {
    pg::Connection(Settings())
        .Execute({"park",
                  "INSERT INTO relay.parked (slot, topic, key, source_schema, source_table, "
                  "first_id, event_id, reason) VALUES ($1, $2, $3, 'auth', 'event_log', 7, $4, "
                  "'too large')"},
                 slot_, topic, key, event);
  }
  [[nodiscard]] Told Ctl(std::vector<std::string> words) const {
    words.insert(words.end(), {"--slot", slot_});
    return RunCtl(words, {{"DATABASE_URL", Conninfo()}});
  }
  [[nodiscard]] std::vector<std::string> Lines(const std::string& sql) const {
    pg::Connection db(Settings());
    std::vector<std::string> lines;
    for (const auto row : db.Execute({"lines", sql}, slot_))
      lines.push_back(row.Get<std::string>(0));
    return lines;
  }
  [[nodiscard]] std::vector<std::string> Wanted() const {
    return Lines(
        "SELECT event_id || ' ' || coalesce(wanted, '-') FROM relay.parked WHERE slot = $1 "
        "ORDER BY event_id");
  }
  [[nodiscard]] std::vector<std::string> Audit() const {
    return Lines(
        "SELECT action || ' ' || event_id || ' ' || detail FROM relay.parking_log WHERE slot = $1 "
        "ORDER BY id");
  }

  std::string slot_;
};

TEST_F(RelayParkedTest, ListsWhatIsParkedAndEndsWith3) {
  const auto nothing = Ctl({"relay", "parked"});
  EXPECT_EQ(nothing.exit, kOk) << nothing.err;
  EXPECT_EQ(nothing.out, "");
  Park("orders", "k1", "e1");
  const auto one = Ctl({"relay", "parked"});
  EXPECT_EQ(one.exit, kDiffers);
  EXPECT_THAT(one.out, HasSubstr("e1  topic orders  key k1"));
  EXPECT_THAT(one.out, HasSubstr("too large"));
  const auto json = nlohmann::json::parse(Ctl({"relay", "parked", "--json"}).out);
  ASSERT_EQ(json.size(), 1U);
  EXPECT_EQ(json[0]["outbox_id"], 7);
  EXPECT_EQ(json[0]["wanted"], "");
}

TEST_F(RelayParkedTest, SkipAsksForOneEventAndIsAudited) {
  Park("orders", "k1", "e1");
  Park("orders", "k2", "e2");
  const auto told = Ctl({"relay", "skip", "e1", "--why", "sent by hand"});
  EXPECT_EQ(told.exit, kOk) << told.err;
  EXPECT_THAT(told.out, HasSubstr("skip asked: e1"));
  EXPECT_THAT(Wanted(), ElementsAre("e1 skip", "e2 -"));
  EXPECT_THAT(Audit(), ElementsAre("skip asked e1 sent by hand"));
}

TEST_F(RelayParkedTest, UnparkAsksForAWholeTopic) {
  Park("orders", "k1", "e1");
  Park("orders", "k2", "e2");
  Park("other", "k1", "e3");
  const auto told = Ctl({"relay", "unpark", "--topic", "orders", "--why", "made it"});
  EXPECT_EQ(told.exit, kOk) << told.err;
  EXPECT_THAT(Wanted(), ElementsAre("e1 unpark", "e2 unpark", "e3 -"));
  EXPECT_THAT(Audit(), ElementsAre("unpark asked e1 made it", "unpark asked e2 made it"));
}

TEST_F(RelayParkedTest, AReasonIsAskedForAndAnUnknownEventIsRefused) {
  Park("orders", "k1", "e1");
  EXPECT_EQ(Ctl({"relay", "skip", "e1"}).exit, kUsage);
  EXPECT_EQ(Ctl({"relay", "unpark", "--why", "x"}).exit, kUsage);
  EXPECT_EQ(Ctl({"relay", "unpark", "e1", "--topic", "orders", "--why", "x"}).exit, kUsage);
  const auto unknown = Ctl({"relay", "skip", "e9", "--why", "x"});
  EXPECT_EQ(unknown.exit, kFailed);
  EXPECT_THAT(unknown.err, HasSubstr("no key is parked for that event"));
  EXPECT_THAT(Wanted(), ElementsAre("e1 -"));
  EXPECT_TRUE(Audit().empty());
}

}  // namespace
}  // namespace countersign::ctl
