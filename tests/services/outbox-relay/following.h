#pragma once
// A relay whose source are the tables, between a database of its own and a real Kafka.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/services/outbox-relay/own_database.h"

namespace countersign::relay {

class TableTest : public OwnDatabaseTest {
 protected:
  [[nodiscard]] RelaySettings FromTables() const {
    auto settings = FromTheFirstEvent();
    settings.source = Source::kTable;
    return settings;
  }
  [[nodiscard]] std::unique_ptr<RunningRelay> Follow() { return Follow(FromTables()); }
  // From its first look at the tables on.
  [[nodiscard]] static std::unique_ptr<RunningRelay> Follow(RelaySettings settings) {
    auto relay = std::make_unique<RunningRelay>(std::move(settings));
    EXPECT_TRUE(support::Eventually([&] { return IsFollowing(*relay); })) << relay->Log();
    return relay;
  }
  [[nodiscard]] static bool IsFollowing(const RunningRelay& relay) {
    return relay.Log().find("\"following the tables\"") != std::string::npos;
  }
  // Another session of the same database.
  [[nodiscard]] std::unique_ptr<pg::Connection> Session() const {
    auto settings = DatabaseSettings();
    settings.lock_timeout = std::chrono::seconds(20);
    settings.statement_timeout = std::chrono::seconds(20);
    return std::make_unique<pg::Connection>(settings);
  }
  // The session that has the lock of our name; 0 if there is none.
  [[nodiscard]] int Leader() const {
    return Scalar<int>(
        "SELECT coalesce(max(pid), 0) FROM pg_locks WHERE locktype = 'advisory' AND granted AND "
        "database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND objid = "
        "(hashtext('" +
        slot_ + "')::bigint & 4294967295)::oid");
  }
  // What the checkpoint has of a topic's first partition is behind everything there.
  void AwaitCheckpointed(const std::string& topic, std::int64_t records) {
    ASSERT_TRUE(support::Eventually([&] {
      const auto newest = Newest();
      const auto found = newest.offsets.find(topic);
      return found != newest.offsets.end() && !found->second.empty() && found->second[0] == records;
    })) << ToJson(Newest());
  }
  [[nodiscard]] static std::vector<std::string> Values(
      const std::vector<support::Record>& records) {
    std::vector<std::string> values;
    values.reserve(records.size());
    for (const auto& record : records) values.push_back(record.value);
    return values;
  }
};

}  // namespace countersign::relay
