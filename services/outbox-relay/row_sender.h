#pragma once
// From a row to a record, and what is done if Kafka does not take it: it is held, and everything
// behind it waits; or it is parked, and only its key waits.
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/kafka/producer.h"
#include "libs/log/logger.h"
#include "libs/pg/rows_since.h"
#include "services/outbox-relay/domain/outbox_row.h"
#include "services/outbox-relay/domain/pgoutput.h"
#include "services/outbox-relay/domain/progress.h"
#include "services/outbox-relay/domain/refusals.h"
#include "services/outbox-relay/kafka_writer.h"
#include "services/outbox-relay/lanes.h"
#include "services/outbox-relay/leadership.h"
#include "services/outbox-relay/observer.h"
#include "services/outbox-relay/relay_settings.h"

namespace countersign::relay {

// Not thread safe. Sending throws kafka::Fault, and what reading Kafka and parking throw: TailFault
// and pg::ReplicationFault.
class RowSender {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  // A table that is read, and not decoded; no relation of PostgreSQL has this oid.
  static constexpr std::uint32_t kReadTable = 0;

  RowSender(const RelaySettings& settings, Progress& progress, Leadership& leadership,
            KafkaWriter& writer, Refusals& refusals, Lanes& lanes, const log::Logger& logger,
            Observer& observer);

  // What the rows of that table look like from now on.
  void Describe(const Relation& relation);
  void DescribeReadTable(const pg::TableName& table, const std::vector<std::string>& columns);
  void ForgetTables() { tables_.clear(); }
  // The rows that follow are of the commit at that position; empty: of tables, which do not tell.
  void OfCommit(std::string lsn) { commit_lsn_ = std::move(lsn); }

  // True if the row is on its way, or left out, or parked. Else it is held: `fields` must stay as
  // they are, and no other row may come, until TryHeld was true. Throws DecodeFault for a table
  // that was not described.
  [[nodiscard]] bool Send(std::uint32_t table, const std::vector<Field>& fields);
  [[nodiscard]] bool Holds() const { return held_.has_value(); }
  // Something must change before what is held can be sent: not only the queue is full.
  [[nodiscard]] bool Obstructed() const { return held_ && !held_->queue_full; }
  // Whether nothing is held any more.
  [[nodiscard]] bool TryHeld();
  void DropHeld() { held_.reset(); }
  // When TryHeld may have news that nothing else brings.
  [[nodiscard]] SteadyTime RetryDue() const {
    return Obstructed() ? held_->retry_at : SteadyTime::max();
  }

 private:
  // An event that Kafka did not take yet. Its views point into the stream's last message, which
  // stays until the next one is read, and none is read before this one is gone.
  struct Held {
    std::uint32_t table = 0;
    SteadyTime since;
    SteadyTime retry_at;
    SteadyTime log_at;
    bool queue_full = false;
  };
  struct Obstacle {
    std::string why{};
    std::string_view event_id{};
    std::string_view topic{};
    std::string trace_id{};
    bool queue_full = false;
    bool whole_topic = false;  // what is refused is not this event alone
    bool may_pass = false;     // it is worth waiting for
  };

  [[nodiscard]] bool TryProduce(const Readable<Table>& table);
  [[nodiscard]] kafka::Produced Produce(const OutboxRow& row, const std::vector<Header>& headers);
  void LookInto(std::string_view topic);
  [[nodiscard]] bool Hold(const Obstacle& obstacle);
  [[nodiscard]] bool Refuse(const Table& table, const OutboxRow& row, const Obstacle& obstacle);
  [[nodiscard]] bool Park(const Table& table, const OutboxRow& row, const Obstacle& obstacle);

  const RelaySettings& settings_;
  Progress& progress_;
  Leadership& leadership_;
  KafkaWriter& writer_;
  Refusals& refusals_;
  Lanes& lanes_;
  const log::Logger& logger_;
  Observer& observer_;

  HeaderBuilder header_builder_;
  std::map<std::uint32_t, Readable<Table>> tables_;  // by oid, of this connection
  const std::vector<Field>* row_ = nullptr;          // the one being sent or held
  SteadyTime row_read_;
  std::optional<Held> held_;
  std::string commit_lsn_;  // of the open transaction, as a header
};

}  // namespace countersign::relay
