#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "libs/core/hex.h"
#include "libs/core/random.h"
#include "libs/metrics/endpoint.h"
#include "libs/metrics/registry.h"
#include "libs/pg/connection.h"
#include "libs/pg/replication.h"
#include "tests/support/database.h"
#include "tests/tools/countersignctl/ctl_run.h"

namespace countersign::ctl {
namespace {

using testing::HasSubstr;

class OutboxStatusTest : public support::PgTest {
 protected:
  void SetUp() override {
    PgTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    SystemRandom random;
    slot_ = "status_" + ToHex(random.Bytes(6));
  }
  void TearDown() override {
    if (slot_.empty()) return;
    Execute(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '" +
        slot_ + "'");
  }
  static void Execute(const std::string& sql) { pg::Connection(Settings()).ExecuteScript(sql); }
  void MakeSlot() const {
    Execute("SELECT pg_create_logical_replication_slot('" + slot_ + "', 'pgoutput')");
  }
  static void Append() {
    Execute(
        "INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload) VALUES "
        "(gen_random_uuid(), 't', 'k', 't', 1, '{}')");
  }
  [[nodiscard]] Told Status(std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"outbox", "status", "--slot", slot_};
    words.insert(words.end(), more.begin(), more.end());
    return RunCtl(words, {{"DATABASE_URL", Conninfo()}});
  }
  [[nodiscard]] nlohmann::json Json(const std::vector<std::string>& more = {}) const {
    auto words = more;
    words.emplace_back("--json");
    return nlohmann::json::parse(Status(words).out);
  }

  std::string slot_;
};

TEST_F(OutboxStatusTest, SaysThatThereIsNoSlot) {
  const auto told = Status();
  EXPECT_EQ(told.exit, kDiffers);
  EXPECT_THAT(told.out, HasSubstr("the relay has never run"));
  EXPECT_EQ(Json()["exists"], false);
}

TEST_F(OutboxStatusTest, SaysThatNoRelayIsConnectedAndSinceWhenEventsWait) {
  MakeSlot();
  const auto idle = Status();
  EXPECT_EQ(idle.exit, kDiffers);
  EXPECT_THAT(idle.out, HasSubstr("no relay is connected"));
  EXPECT_EQ(Json()["lag_seconds"], 0.0);
  Append();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto behind = Json();
  EXPECT_GE(behind["lag_seconds"].get<double>(), 0.05);
  EXPECT_LT(behind["lag_seconds"].get<double>(), 20);
  EXPECT_GT(behind["lag_bytes"].get<long>(), 0);
  EXPECT_EQ(behind["wal_status"], "reserved");
}

TEST_F(OutboxStatusTest, LookingConsumesNothing) {
  MakeSlot();
  Append();
  const auto first = Json();
  const auto second = Json();
  EXPECT_EQ(first["confirmed_lsn"], second["confirmed_lsn"]);
  EXPECT_GT(second["lag_seconds"].get<double>(), 0);
}

TEST_F(OutboxStatusTest, WhileARelayIsConnectedItsMetricsTellTheSeconds) {
  MakeSlot();
  pg::ReplicationConnection relay(Settings());
  relay.Start(slot_, {"countersign_auth", "countersign_otp"}, Lsn{});
  EXPECT_EQ(Status().exit, kOk);
  EXPECT_TRUE(Json()["active"]);
  EXPECT_TRUE(Json()["lag_seconds"].is_null());
  EXPECT_THAT(Status().out, HasSubstr("unknown"));

  metrics::Registry registry;
  registry.AddGauge("relay_lag_seconds", "Lag").Set(2.5);
  const metrics::Endpoint endpoint("127.0.0.1:0", registry, [] { return ""; });
  EXPECT_EQ(Json({"--relay-metrics", endpoint.address()})["lag_seconds"], 2.5);
  relay.Finish(std::chrono::seconds(5));
}

}  // namespace
}  // namespace countersign::ctl
