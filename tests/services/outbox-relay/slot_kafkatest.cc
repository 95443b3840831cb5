// What the leading relay tells of its slot. One that falls behind a limit of its server is in
// tests/chaos/slot_watch_test.py, on a server of its own.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>

#include "tests/services/outbox-relay/following.h"

namespace countersign::relay {
namespace {

using support::Eventually;
using support::Topic;

double Retained(const RunningRelay& relay) {
  return relay.Shown("relay_slot_retained_bytes").value_or(-1);
}

double Status(const RunningRelay& relay, const std::string& status) {
  return relay.Shown("relay_slot_wal_status{status=\"" + status + "\"}").value_or(-1);
}

class SlotTest : public TableTest {
 protected:
  static constexpr int kWritten = 3'000'000;
  // WAL that is nobody's event.
  void WriteWal() const {
    (void)Scalar<std::string>("SELECT max(pg_logical_emit_message(false, 'filler', repeat('x', " +
                              std::to_string(kWritten) + ")))::text");
  }
  [[nodiscard]] std::string OfServer(const std::string& column) const {
    return Scalar<std::string>("SELECT coalesce(" + column +
                               "::text, '') FROM pg_replication_slots WHERE slot_name = '" + slot_ +
                               "'");
  }
  // Sessions in which a relay asks beside its stream.
  [[nodiscard]] int Inquirers() const {
    return Scalar<int>(
        "SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND "
        "application_name = 'countersign-relay-inquirer'");
  }
};

TEST_F(SlotTest, TheLeaderTellsWhatTheServerKeepsForIt) {
  const auto relay = Start();
  EXPECT_TRUE(Eventually([&] { return Retained(*relay) >= 0; })) << "not long after its start";
  (void)relay->control().Pause();
  ASSERT_TRUE(Eventually([&] { return !relay->control().Look().standing.reading; }));
  WriteWal();
  EXPECT_TRUE(Eventually([&] { return Retained(*relay) >= kWritten; })) << Retained(*relay);
  EXPECT_EQ(Status(*relay, OfServer("wal_status")), 1);
  EXPECT_EQ(Status(*relay, "lost"), 0);
  const bool unlimited = OfServer("safe_wal_size").empty();
  EXPECT_EQ(std::isnan(*relay->Shown("relay_slot_safe_bytes")), unlimited);
}

TEST_F(SlotTest, OneThatStandsByTellsNothingUntilItLeads) {
  auto leader = Start();
  ASSERT_TRUE(Eventually([&] { return Retained(*leader) >= 0; }));
  const RunningRelay standby(MakeSettings());
  ASSERT_TRUE(Eventually([&] { return standby.Log().find("standing by") != std::string::npos; }));
  EXPECT_TRUE(std::isnan(Retained(standby)));
  EXPECT_EQ(Status(standby, "reserved"), 0);
  EXPECT_EQ(Inquirers(), 1) << "only the leader asks";
  leader->Stop();
  EXPECT_TRUE(std::isnan(Retained(*leader)));
  EXPECT_TRUE(Eventually([&] { return Retained(standby) >= 0; }));
}

TEST_F(SlotTest, TheLookGoesOnAfterItsConnectionIsCut) {
  const auto relay = Start();
  ASSERT_TRUE(Eventually([&] { return Retained(*relay) >= 0; }));
  ASSERT_EQ(Scalar<int>("SELECT count(pg_terminate_backend(pid))::int FROM pg_stat_activity WHERE "
                        "datname = current_database() AND application_name = "
                        "'countersign-relay-inquirer'"),
            1);
  (void)relay->control().Pause();
  WriteWal();
  EXPECT_TRUE(Eventually([&] { return Retained(*relay) >= kWritten; })) << relay->Log();
  EXPECT_EQ(relay->Log().find("relaying was interrupted"), std::string::npos) << relay->Log();
}

TEST_F(SlotTest, WithTheTableSourceThereIsNoneToTellOf) {
  const Topic topic(1);
  // Of the name that its lock has, as one that an earlier relay left.
  (void)Scalar<std::string>("SELECT slot_name::text FROM pg_create_logical_replication_slot('" +
                            slot_ + "', 'pgoutput')");
  const auto relay = Follow();
  AppendNumbers(topic.name(), 1, 10);
  (void)topic.AwaitRecords(10);
  EXPECT_EQ(relay->Gauge("relay_leader"), 1);
  EXPECT_TRUE(std::isnan(Retained(*relay)));
  EXPECT_EQ(Inquirers(), 0);
}

}  // namespace
}  // namespace countersign::relay
