#pragma once
// What the commands around a relay's checkpoint have in common.
#include <optional>
#include <string>
#include <vector>

#include "libs/core/lsn.h"
#include "libs/pg/connection.h"
#include "services/outbox-relay/domain/checkpoint.h"
#include "tools/countersignctl/command.h"

namespace countersign::ctl {

inline constexpr Option kRelaySlot{"slot", "NAME", "replication slot of the relay", "countersign"};

// Database, Kafka, the slot and --checkpoint-topic.
[[nodiscard]] std::vector<Option> RelayOptions(std::vector<Option> more,
                                               const Option& slot = kRelaySlot);

// The newest checkpoint of --slot, empty if there is none. Ask before the server is asked: a
// running relay writes later ones. Throws Failure, kafka::Fault, relay::TailFault.
[[nodiscard]] std::optional<relay::Checkpoint> NewestCheckpoint(const Arguments& arguments);
// There is a checkpoint of --slot, whether it can be understood or not.
[[nodiscard]] bool HasCheckpoint(const Arguments& arguments);

struct ServerState {
  std::string system_id;
  int timeline = 0;
  Lsn flushed;                    // end of the server's WAL
  std::optional<int> leader_pid;  // the session of the relay that leads
};
[[nodiscard]] ServerState ReadServer(pg::Connection& connection, const std::string& slot);

// Why the checkpoint can not be one of this server, in words; empty if it can. The timeline is
// another question: a checkpoint of an older one holds until the next is written.
[[nodiscard]] std::string WhyForeign(const relay::Checkpoint& checkpoint,
                                     const ServerState& server);

// What was read from Kafka, without anything that a terminal would obey.
[[nodiscard]] std::string Harmless(std::string_view text);

}  // namespace countersign::ctl
