#include "tools/countersignctl/relay_state.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "libs/kafka/admin.h"
#include "libs/pg/replication.h"
#include "services/outbox-relay/checkpoint_log.h"
#include "tools/countersignctl/cluster.h"
#include "tools/countersignctl/database.h"
#include "tools/countersignctl/sql/queries.h"

namespace countersign::ctl {
namespace {

constexpr auto kLimit = std::chrono::seconds(15);

// The topic exists and Kafka answers; the reader's own limits are those of a relay in service.
void RequireTopic(const kafka::ClientSettings& cluster, const std::string& topic) {
  if (kafka::Admin(cluster).Describe(topic, kLimit)) return;
  throw Failure(fmt::format("there is no topic {} (countersignctl topics apply)", topic));
}

}  // namespace

std::vector<Option> RelayOptions(std::vector<Option> more, const Option& slot) {
  std::vector<Option> options = {
      kDatabase,
      slot,
      {"checkpoint-topic", "NAME", "its checkpoints", "countersign.relay.checkpoints"}};
  options.insert(options.end(), more.begin(), more.end());
  return ClusterOptions(options);
}

std::optional<relay::Checkpoint> NewestCheckpoint(const Arguments& arguments) {
  const auto cluster = ClusterSettings(arguments);
  const auto topic = arguments.Required("checkpoint-topic");
  RequireTopic(cluster, topic);
  relay::TailReader reader(cluster);
  return relay::ReadCheckpoint(reader, topic, arguments.Required("slot"));
}

bool HasCheckpoint(const Arguments& arguments) {
  const auto cluster = ClusterSettings(arguments);
  const auto topic = arguments.Required("checkpoint-topic");
  RequireTopic(cluster, topic);
  relay::TailReader reader(cluster);
  return relay::ReadNewestRecord(reader, topic, arguments.Required("slot")).has_value();
}

ServerState ReadServer(pg::Connection& connection, const std::string& slot) {
  const auto rows = connection.Execute(sql::kReadServer, pg::kSlotLockClass, slot);
  const auto row = rows.Only();
  return {.system_id = row.Get<std::string>("system_id"),
          .timeline = row.Get<int>("timeline"),
          .flushed = ParseLsn(row.Get<std::string>("flushed")).value_or(Lsn{}),
          .leader_pid = row.Get<std::optional<int>>("leader_pid")};
}

std::string WhyForeign(const relay::Checkpoint& checkpoint, const ServerState& server) {
  if (checkpoint.system_id != server.system_id) {
    return fmt::format("the checkpoint is of another database: system {}, but this one is {}",
                       Harmless(checkpoint.system_id), server.system_id);
  }
  if (checkpoint.position > server.flushed) {
    return fmt::format("the database is older than the checkpoint: its WAL ends at {}, before {}",
                       ToString(server.flushed), ToString(checkpoint.position));
  }
  return "";
}

std::string Harmless(std::string_view text) {
  const std::string quoted =
      nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace countersign::ctl
