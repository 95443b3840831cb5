// The stream, rebuilt out of the tables: when the slot is gone, and at the first start. The rows
// come in the order of their ids, which is the order per key, and end where the new slot begins.
#include <utility>

#include "libs/core/failpoint.h"
#include "services/outbox-relay/checkpoint_log.h"
#include "services/outbox-relay/relay.h"
#include "services/outbox-relay/tail.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kHeldCheck{100};
constexpr std::chrono::seconds kNewsInterval{10};
// No relation of PostgreSQL has this oid.
constexpr std::uint32_t kReadTable = 0;

}  // namespace

bool Relay::Rebuild(pg::ReplicationConnection& connection, Checkpoint checkpoint,
                    const std::stop_token& stop) {
  const bool first = !checkpoint.settled;
  checkpoint.system_id = server_->system_id;
  checkpoint.timeline = server_->timeline;
  checkpoint.rebuilding = true;
  checkpoint.atomic = false;
  const SettledPoint settled = checkpoint.settled.value_or(SettledPoint{});
  logger_.Warn(first ? "first start: relaying what the tables hold"
                     : "the slot is gone: relaying what the tables have and kafka has not",
               {{"slot", settings_.slot}, {"snapshot", settled.snapshot}});
  observer_.Rebuilding();
  // From here on the new slot must not be taken for one that has everything.
  WriteAhead(checkpoint);
  if (connection.FindSlot(settings_.slot)) connection.DropSlot(settings_.slot);
  Failpoint("before_new_slot");
  const auto slot = connection.CreateSlotAndSnapshot(settings_.slot);
  Failpoint("after_new_slot");
  Resumption resumption{
      .offsets = settled.offsets,
      .settled = SettledPoint{.snapshot = slot.snapshot, .offsets = settled.offsets},
      .rebuilt = true,
      .seen_until = slot.begins};
  CollectTails(resumption, Lsn{});
  progress_.Resume(std::move(resumption));
  // As one transaction: no position before its end is true.
  progress_.Begin(SystemClock().Now(), 0);
  commit_lsn_.clear();
  for (const auto& publication : settings_.publications) {
    for (const auto& table : connection.PublishedTables(publication)) {
      if (!RelayTable(connection,
                      {.table = table,
                       .order_by = settings_.columns.id,
                       .xid_column = settings_.columns.xid,
                       .snapshot = settled.snapshot},
                      stop)) {
        return false;
      }
    }
  }
  connection.EndSnapshot();
  progress_.Commit(slot.begins);
  if (!AwaitDeliveries(stop, SteadyTime::max())) return false;
  if (Transactional()) CommitWithCheckpoint();
  return true;
}

void Relay::WriteAhead(const Checkpoint& checkpoint) {
  if (Transactional()) return CommitAlone(checkpoint);
  const auto produced = Send(checkpoint, kAwaitedToken);
  const auto on_delivery = [this](const kafka::Delivery& delivery) { OnDelivery(delivery); };
  if (produced != kafka::Produced::kQueued || !producer_->Flush(kTailLimit, on_delivery)) {
    throw TailFault("kafka does not take the checkpoint that must come first");
  }
}

bool Relay::RelayTable(pg::ReplicationConnection& connection, const pg::RowsSince& rows,
                       const std::stop_token& stop) {
  const auto columns = connection.Select(rows);
  DescribeReadTable(rows.table, columns);
  std::vector<Field> fields(columns.size());
  std::size_t read = 0;
  auto told = SteadyClock::now();
  bool stopped = false;
  bool more = true;
  while (more && !stopped) {
    (void)producer_->Drain([this](const kafka::Delivery& delivery) { OnDelivery(delivery); });
    observer_.Progress(progress_.acknowledgements(), seen_);
    if (stream_) SendStatusIfDue();
    EndRowsIfDue();
    if (SteadyClock::now() - told > kNewsInterval) {
      told = SteadyClock::now();
      logger_.Info("reading a table", {{"table", rows.table.table}, {"rows", read}});
    }
    more = connection.Fetch([&](const pg::RowValues& values) {
      if (stopped) return;
      for (std::size_t i = 0; i < values.size(); ++i) {
        fields[i] = {.present = values[i] != nullptr,
                     .text = values[i] == nullptr ? std::string_view{} : values[i]};
      }
      ++read;
      stopped = !RelayRow(fields, stop);
    });
  }
  logger_.Info("read a table", {{"table", rows.table.schema + "." + rows.table.table},
                                {"rows", read},
                                {"complete", !stopped}});
  return !stopped;
}

void Relay::DescribeReadTable(const pg::TableName& table, const std::vector<std::string>& columns) {
  const Relation relation{.oid = kReadTable,
                          .schema = table.schema,
                          .table = table.table,
                          .columns = {columns.begin(), columns.end()}};
  tables_.insert_or_assign(kReadTable,
                           MapTable(relation, settings_.columns, settings_.source_prefix));
}

// Waits while Kafka does not take it; false if it was stopped meanwhile.
bool Relay::RelayRow(const std::vector<Field>& fields, const std::stop_token& stop) {
  StayAwake();
  if (!control_.MayRead() && !AwaitResume(stop)) return false;
  row_ = &fields;
  row_read_ = Turn();
  if (!TryProduce(tables_.at(kReadTable))) {
    held_->table = kReadTable;
    while (held_ && !stop.stop_requested()) {
      waiter_.Wait(kHeldCheck);
      KeepSession();
      EndRowsIfDue();
      observer_.Progress(progress_.acknowledgements(), seen_);
      (void)producer_->Drain([this](const kafka::Delivery& delivery) { OnDelivery(delivery); });
      (void)TryHeld();
    }
  }
  const bool taken = !held_;
  held_.reset();
  return taken && !stop.stop_requested();
}

}  // namespace countersign::relay
