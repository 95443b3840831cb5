// log drop and log make: what is old and in Kafka for sure goes, everything else stays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/tools/countersignctl/checkpoints.h"

namespace countersign::ctl {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LogTest : public CheckpointTest {
 protected:
  // The tests share the logs.
  void TearDown() override {
    if (owner_) {
      for (const std::string schema : {"auth", "otp"}) {
        const auto drop =
            "SELECT " + schema + ".log_drop(now() - interval '1 day', pg_current_snapshot())";
        while (owner_->One<int>(drop) > 0) continue;
      }
    }
    CheckpointTest::TearDown();
  }
  // The partition of a day in the past, with one event.
  void MakeOld(const std::string& schema, int days_ago) {
    const std::string days = std::to_string(days_ago);
    owner_->Script("DO $$ DECLARE day date := (now() AT TIME ZONE 'UTC')::date - " + days +
                   "; BEGIN EXECUTE format('CREATE TABLE " + schema +
                   ".event_log_%s PARTITION OF " + schema +
                   ".event_log FOR VALUES FROM (%L) TO (%L)', to_char(day, 'YYYYMMDD'), "
                   "day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC'); "
                   "INSERT INTO " +
                   schema +
                   ".event_log (event_id, topic, key, type, seq, payload, occurred_at) VALUES "
                   "(gen_random_uuid(), 'test', 'old', 'test', 1, '{}', "
                   "(day + time '12:00') AT TIME ZONE 'UTC'); END $$");
  }
  // The ages of the partitions in days, oldest first, without those of today and later.
  [[nodiscard]] std::vector<int> Ages(const std::string& schema) {
    std::vector<int> ages;
    const auto rows = owner_->Run(
        "SELECT (now() AT TIME ZONE 'UTC')::date - to_date(right(c.relname, 8), 'YYYYMMDD') "
        "FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = ($1 || '.event_log')::regclass ORDER BY 1 DESC",
        schema);
    for (const auto row : rows) ages.push_back(row.Get<int>(0));
    std::erase_if(ages, [](int age) { return age <= 0; });
    return ages;
  }
  [[nodiscard]] Told Drop(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"log", "drop", "--keep", "90d"});
    return Ctl(more);
  }
  void ExpectRefused(const std::string& why) {
    for (const char* how : {"--json", "--dry-run"}) {
      const auto told = Drop({how});
      EXPECT_EQ(told.exit, kFailed) << why;
      EXPECT_THAT(told.err, AllOf(HasSubstr("nothing is dropped"), HasSubstr(why)));
      EXPECT_THAT(told.out, IsEmpty());
    }
    EXPECT_THAT(Ages("auth"), ElementsAre(100));
  }
};

TEST_F(LogTest, DropsWhatIsOldAndSettled) {
  for (const int age : {200, 100, 92, 88}) MakeOld("auth", age);
  MakeOld("otp", 100);
  Write(GoodCheckpoint());
  const auto told = Drop();
  EXPECT_EQ(told.exit, kOk) << told.err;
  EXPECT_THAT(told.out, AllOf(HasSubstr("auth: dropped 3"), HasSubstr("otp: dropped 1")));
  EXPECT_THAT(Ages("auth"), ElementsAre(88));
  EXPECT_THAT(Ages("otp"), IsEmpty());
  EXPECT_THAT(Drop().out, HasSubstr("auth: dropped 0"));
  EXPECT_THAT(Drop({"--dry-run"}).out, HasSubstr("auth: would drop nothing"));
}

TEST_F(LogTest, KeepsAnEventThatKafkaMayLackAndEverythingAfterIt) {
  MakeOld("auth", 102);
  MakeOld("auth", 100);
  const auto checkpoint = GoodCheckpoint();
  MakeOld("auth", 101);  // its event is not in that snapshot
  Write(checkpoint);
  const auto listed = nlohmann::json::parse(Drop({"--dry-run", "--json"}).out);
  EXPECT_EQ(listed["auth"]["would_drop"].size(), 1U);
  EXPECT_EQ(nlohmann::json::parse(Drop({"--json"}).out)["auth"]["dropped"], 1);
  EXPECT_THAT(Ages("auth"), ElementsAre(101, 100));
  Write(GoodCheckpoint());
  EXPECT_EQ(nlohmann::json::parse(Drop({"--json"}).out)["auth"]["dropped"], 2);
}

TEST_F(LogTest, ADryRunNamesWhatWouldGoAndDropsNothing) {
  for (const int age : {100, 92, 88}) MakeOld("auth", age);
  MakeOld("otp", 95);
  Write(GoodCheckpoint());
  const auto name = [&](int age) {
    return "event_log_" +
           owner_->One<std::string>(
               "SELECT to_char((now() AT TIME ZONE 'UTC')::date - $1::int, 'YYYYMMDD')", age);
  };
  const auto list = nlohmann::json::parse(Drop({"--dry-run", "--json"}).out)["auth"]["would_drop"];
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0]["partition"], name(100));
  EXPECT_EQ(list[1]["partition"], name(92));
  EXPECT_GT(list[0]["bytes"], 0);
  EXPECT_THAT(Drop({"--dry-run"}).out, AllOf(HasSubstr("auth: would drop " + name(100)),
                                             HasSubstr("otp: would drop " + name(95))));
  EXPECT_THAT(Ages("auth"), ElementsAre(100, 92, 88));
  EXPECT_THAT(Ages("otp"), ElementsAre(95));
}

TEST_F(LogTest, TheAgeMayComeFromTheEnvironmentOfATimer) {
  for (const int age : {100, 20}) MakeOld("auth", age);
  Write(GoodCheckpoint());
  const auto drop = [&](std::map<std::string, std::string> environment) {
    environment.merge(std::map<std::string, std::string>{{"DATABASE_URL", Conninfo()},
                                                         {"KAFKA_BROKERS", support::Brokers()}});
    return RunCtl({"log", "drop", "--slot", slot_, "--checkpoint-topic", topic_->name()},
                  environment);
  };
  EXPECT_THAT(drop({}).err, AllOf(HasSubstr("--keep"), HasSubstr("LOG_KEEP")));
  EXPECT_EQ(drop({{"LOG_KEEP", "1h"}}).exit, kUsage);
  EXPECT_THAT(Ages("auth"), ElementsAre(100, 20));
  EXPECT_THAT(drop({{"LOG_KEEP", "30d"}}).out, HasSubstr("auth: dropped 1"));
  EXPECT_THAT(Ages("auth"), ElementsAre(20));
}

TEST_F(LogTest, DropsTheLogsThatWereChosen) {
  MakeOld("auth", 100);
  MakeOld("otp", 100);
  Write(GoodCheckpoint());
  EXPECT_EQ(Drop({"--schemas", "otp"}).exit, kOk);
  EXPECT_THAT(Ages("auth"), ElementsAre(100));
  EXPECT_THAT(Ages("otp"), IsEmpty());
}

TEST_F(LogTest, RefusesWithoutACheckpoint) {
  MakeOld("auth", 100);
  ExpectRefused("there is no checkpoint of " + slot_);
}

// A parked event is visible in the snapshot, but in no topic.
TEST_F(LogTest, RefusesWhileAKeyOfTheLogIsParked) {
  MakeOld("auth", 100);
  Write(GoodCheckpoint());
  owner_->Run(
      "INSERT INTO relay.parked (slot, topic, key, source_schema, source_table, first_id, "
      "event_id, "
      "reason) VALUES ($1, 't', 'k', 'auth', 'event_log', 1, 'e', 'too large')",
      slot_);
  ExpectRefused("1 keys of auth are parked");
  EXPECT_EQ(Drop({"--schemas", "otp"}).exit, kOk);
  owner_->Run("DELETE FROM relay.parked WHERE slot = $1", slot_);
  EXPECT_EQ(Drop().exit, kOk);
  EXPECT_THAT(Ages("auth"), IsEmpty());
}

TEST_F(LogTest, RefusesACheckpointThatSaysNothingForSure) {
  MakeOld("auth", 100);
  auto checkpoint = GoodCheckpoint();
  checkpoint.rebuilding = true;
  Write(checkpoint);
  ExpectRefused("rebuilt");
  checkpoint = GoodCheckpoint();
  checkpoint.settled.reset();
  Write(checkpoint);
  ExpectRefused("no settled snapshot");
}

TEST_F(LogTest, RefusesACheckpointOfAnotherHistory) {
  MakeOld("auth", 100);
  auto checkpoint = GoodCheckpoint();
  checkpoint.system_id = "123";
  Write(checkpoint);
  ExpectRefused("another database");
  checkpoint = GoodCheckpoint();
  checkpoint.timeline += 1;
  Write(checkpoint);
  ExpectRefused("timeline 2");
  checkpoint = GoodCheckpoint();
  checkpoint.position.value += std::uint64_t{1} << 40;
  Write(checkpoint);
  ExpectRefused("older than the checkpoint");
}

TEST_F(LogTest, OnlyTheOwnerMayDrop) {
  MakeOld("auth", 100);
  Write(GoodCheckpoint());
  const auto service = pg::WithKeyword(Conninfo(), "options", "-c role=countersign_auth");
  const auto told = RunCtl(
      {"log", "drop", "--keep", "90d", "--slot", slot_, "--checkpoint-topic", topic_->name()},
      {{"DATABASE_URL", service}, {"KAFKA_BROKERS", support::Brokers()}});
  EXPECT_EQ(told.exit, kFailed);
  EXPECT_THAT(told.err, HasSubstr("permission denied"));
  EXPECT_THAT(Ages("auth"), ElementsAre(100));
}

TEST_F(LogTest, MakesThePartitionsThatLack) {
  owner_->Run("SELECT auth.log_make(20)");
  owner_->Run("SELECT otp.log_make(20)");
  owner_->Script(
      "DO $$ BEGIN EXECUTE 'DROP TABLE auth.event_log_' || to_char((now() AT TIME ZONE "
      "'UTC')::date + 3, 'YYYYMMDD'); END $$");
  const std::map<std::string, std::string> database = {{"DATABASE_URL", Conninfo()}};
  const auto told = RunCtl({"log", "make", "--days", "16"}, database);
  EXPECT_EQ(told.exit, kOk) << told.err;
  EXPECT_THAT(told.out, AllOf(HasSubstr("auth: made 1"), HasSubstr("otp: made 0")));
  const auto more = RunCtl({"log", "make", "--days", "21", "--json", "--schemas", "otp"}, database);
  EXPECT_EQ(nlohmann::json::parse(more.out), (nlohmann::json{{"otp", {{"made", 1}}}}));
  EXPECT_EQ(owner_->One<int>("SELECT auth.log_days_ahead()"), 20);
  EXPECT_EQ(owner_->One<int>("SELECT otp.log_days_ahead()"), 21);
}

}  // namespace
}  // namespace countersign::ctl
