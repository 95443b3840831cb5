#pragma once
// Where a relay begins: what the database, the slot and Kafka say about it. What a database or a
// cluster refuses is thrown as pg::ReplicationFault or TailFault.
#include <optional>
#include <string>
#include <vector>

#include "libs/core/lsn.h"
#include "libs/kafka/settings.h"
#include "libs/log/logger.h"
#include "libs/pg/replication.h"
#include "libs/pg/table_reader.h"
#include "services/outbox-relay/domain/checkpoint.h"
#include "services/outbox-relay/domain/progress.h"
#include "services/outbox-relay/domain/start.h"
#include "services/outbox-relay/relay_settings.h"

namespace countersign::relay {

// Throws unless they are all there, and send partitioned tables as one.
void RequirePublications(pg::ReplicationConnection& connection,
                         const std::vector<std::string>& names);
// Throws if the start is refused. With a slot:
[[nodiscard]] Start DecideWithSlot(const RelaySettings& settings,
                                   pg::ReplicationConnection& connection,
                                   const pg::SystemIdentity& server,
                                   const std::optional<pg::Slot>& slot,
                                   const std::optional<Checkpoint>& checkpoint);
// And without, with the table source.
[[nodiscard]] Start DecideWithTables(const RelaySettings& settings,
                                     const pg::SystemIdentity& server, const pg::Moment& now,
                                     const std::optional<Checkpoint>& checkpoint);

[[nodiscard]] pg::Slot MakeSlot(pg::ReplicationConnection& connection, const std::string& name,
                                const log::Logger& logger);

// Without checkpoints only this process's own memory is better than the slot: `ours` is where it
// stood, with the server `before`, if it ever stood anywhere.
[[nodiscard]] Resumption ResumeInProcess(const std::optional<pg::SystemIdentity>& before, Lsn ours,
                                         const pg::SystemIdentity& server, Lsn slot_at,
                                         const log::Logger& logger);
// Both read in Kafka what lies behind the checkpoint.
[[nodiscard]] Resumption ResumeWithSlot(const RelaySettings& settings,
                                        const std::optional<Checkpoint>& checkpoint,
                                        const pg::SystemIdentity& server, Lsn slot_at,
                                        const log::Logger& logger);
[[nodiscard]] Resumption ResumeWithTables(const RelaySettings& settings,
                                          const std::optional<Checkpoint>& checkpoint,
                                          const log::Logger& logger);
// What Kafka has behind the resumption's offsets and was committed at `after` or later.
void CollectTails(const kafka::ClientSettings& cluster, Resumption& resumption, Lsn after,
                  const log::Logger& logger);

}  // namespace countersign::relay
