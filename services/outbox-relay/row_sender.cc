#include "services/outbox-relay/row_sender.h"

#include "libs/core/failpoint.h"
#include "services/outbox-relay/domain/trace_id.h"
#include "services/outbox-relay/tail.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kHeldRetry{1'000};
constexpr milliseconds kHeldLog{10'000};

}  // namespace

RowSender::RowSender(const RelaySettings& settings, Progress& progress, Leadership& leadership,
                     KafkaWriter& writer, Refusals& refusals, Lanes& lanes,
                     const log::Logger& logger, Observer& observer)
    : settings_(settings),
      progress_(progress),
      leadership_(leadership),
      writer_(writer),
      refusals_(refusals),
      lanes_(lanes),
      logger_(logger),
      observer_(observer) {}

void RowSender::Describe(const Relation& relation) {
  tables_.insert_or_assign(relation.oid,
                           MapTable(relation, settings_.columns, settings_.source_prefix));
}

void RowSender::DescribeReadTable(const pg::TableName& table,
                                  const std::vector<std::string>& columns) {
  Describe({.oid = kReadTable,
            .schema = table.schema,
            .table = table.table,
            .columns = {columns.begin(), columns.end()}});
}

bool RowSender::Send(std::uint32_t table, const std::vector<Field>& fields) {
  const auto described = tables_.find(table);
  if (described == tables_.end()) throw DecodeFault("a row of a table that was not described");
  row_ = &fields;
  row_read_ = leadership_.Turn();
  if (TryProduce(described->second)) return true;
  held_->table = table;
  return false;
}

bool RowSender::TryHeld() {
  const auto now = SteadyClock::now();
  if (!held_->queue_full && now < held_->retry_at) return false;
  if (!TryProduce(tables_.at(held_->table))) return false;
  if (held_->queue_full) {
    observer_.QueueFull(SteadyClock::now() - held_->since);
  } else {
    logger_.Info("the event held back holds nothing back any more");
    observer_.Trouble({});
  }
  held_.reset();
  return true;
}

bool RowSender::TryProduce(const Readable<Table>& table) {
  if (!table) return Hold({.why = table.error()});
  const auto row = ReadRow(*table, *row_);
  if (!row) return Hold({.why = row.error()});
  if (lanes_.Waits(*table, *row)) return true;
  if (progress_.Deduplicating()) {
    if (progress_.MustLookInto(row->topic)) LookInto(row->topic);
    if (progress_.IsInKafka(IdentityOf(row->event_id))) {
      observer_.LeftOut();
      return true;
    }
  }
  if (lanes_.IsInKafka(row->event_id)) {
    observer_.LeftOut();
    return true;
  }
  const auto built = header_builder_.Build(*row, table->source, commit_lsn_);
  Obstacle obstacle{.event_id = row->event_id, .topic = row->topic};
  if (!built) {
    obstacle.why = built.error();
    return Refuse(*table, *row, obstacle);
  }
  if (auto refusal = refusals_.Find(row->topic, row->event_id)) {
    obstacle.why = std::move(refusal->why);
    obstacle.whole_topic = refusal->whole_topic;
    obstacle.trace_id = TraceId(**built);
    return Refuse(*table, *row, obstacle);
  }
  if (!refusals_.MayGo(row->event_id, progress_.acknowledgements().InFlight()))
    return Hold({.queue_full = true});
  const auto produced = Produce(*row, **built);
  if (produced == kafka::Produced::kQueued) return true;
  if (produced == kafka::Produced::kQueueFull) return Hold({.queue_full = true});
  obstacle.trace_id = TraceId(**built);
  if (produced == kafka::Produced::kUnreachable) {
    obstacle.why = "no kafka broker answers";
    return Hold(obstacle);
  }
  obstacle.whole_topic = obstacle.may_pass = produced == kafka::Produced::kUnknownTopic;
  obstacle.why =
      obstacle.whole_topic ? "the topic does not exist" : "larger than Kafka messages may be";
  return Refuse(*table, *row, obstacle);
}

kafka::Produced RowSender::Produce(const OutboxRow& row, const std::vector<Header>& headers) {
  kafka::Headers record_headers(headers.size());
  for (const auto& [name, value] : headers) record_headers.Add(name, value);
  const auto token = progress_.AddEvent();
  const auto produced = writer_.Produce(
      {.topic = row.topic, .key = row.key, .value = row.payload, .token = token}, record_headers);
  if (produced == kafka::Produced::kQueued) {
    observer_.Produced(progress_.acknowledgements().CommitTime(), row_read_,
                       held_ ? SteadyClock::now() : row_read_);
    lanes_.Sent(row.event_id);
    Failpoint("after_produce");
  } else {
    progress_.TakeBack();
  }
  return produced;
}

// An event of a topic that no checkpoint knows, of a time in which an earlier relay may have sent
// it.
void RowSender::LookInto(std::string_view topic) {
  logger_.Info("reading a topic from its beginning: no checkpoint says where the relay stood in it",
               {{"topic", topic}});
  SeenEvents seen;
  TailReader reader(settings_.kafka.client, [this] { leadership_.Keep(); });
  // A position tells nothing about what the tables show.
  const Lsn after =
      settings_.source == Source::kTable ? Lsn{} : progress_.acknowledgements().Confirmed();
  // A topic that does not exist has none of our events.
  (void)CollectSeen(reader, std::string(topic), {}, after, seen);
  progress_.LookedInto(topic, std::move(seen));
}

bool RowSender::Hold(const Obstacle& obstacle) {
  const auto now = SteadyClock::now();
  if (!held_ || held_->queue_full != obstacle.queue_full) {
    held_ = Held{.table = held_ ? held_->table : 0,
                 .since = now,
                 .retry_at = now,
                 .log_at = now,
                 .queue_full = obstacle.queue_full};
  }
  if (obstacle.queue_full) return false;
  if (writer_.transaction().HasWhole()) {
    writer_.SeparateWhatWasRead();
    throw pg::ReplicationFault("obstacle", "what was committed before event " +
                                               std::string(obstacle.event_id) +
                                               " must not wait with it: " + obstacle.why);
  }
  held_->retry_at = now + kHeldRetry;
  if (now < held_->log_at) return false;
  held_->log_at = now + kHeldLog;
  logger_.Error("an event cannot be relayed: everything behind it waits",
                {{"event_id", obstacle.event_id},
                 {"topic", obstacle.topic},
                 {"trace_id", obstacle.trace_id},
                 {"why", obstacle.why},
                 {"commit_lsn", commit_lsn_}});
  observer_.Trouble("event " + std::string(obstacle.event_id) + " is held: " + obstacle.why);
  return false;
}

bool RowSender::Refuse(const Table& table, const OutboxRow& row, const Obstacle& obstacle) {
  if (settings_.on_refusal == OnRefusal::kHold) return Hold(obstacle);
  const bool waited =
      held_ && !held_->queue_full && SteadyClock::now() - held_->since >= settings_.park_after;
  if (obstacle.may_pass && !waited) return Hold(obstacle);
  return Park(table, row, obstacle);
}

bool RowSender::Park(const Table& table, const OutboxRow& row, const Obstacle& obstacle) {
  const auto parked = lanes_.Park(table, row, obstacle.why);
  if (!parked) {
    Obstacle unparkable = obstacle;
    unparkable.why = parked.error();
    return Hold(unparkable);
  }
  if (obstacle.whole_topic) refusals_.RefuseTopic(row.topic, obstacle.why);
  refusals_.Forget(row.event_id);
  logger_.Error("kafka refuses an event for good: it and later ones of its key wait",
                {{"event_id", obstacle.event_id},
                 {"topic", obstacle.topic},
                 {"trace_id", obstacle.trace_id},
                 {"why", obstacle.why}});
  return true;
}

}  // namespace countersign::relay
