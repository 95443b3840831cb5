// What the relay does with the messages of the stream: from a row to a record, and what if Kafka
// does not take it.
#include <algorithm>
#include <utility>

#include "libs/core/failpoint.h"
#include "libs/core/traceparent.h"
#include "services/outbox-relay/relay.h"
#include "services/outbox-relay/tail.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kHeldRetry{1'000};
constexpr milliseconds kHeldLog{10'000};
constexpr milliseconds kRefusalNews{200};

constexpr std::string_view kTraceparent = "traceparent";

// As the other services log it, so that one search finds all lines of a request; empty if the event
// has none.
std::string TraceId(std::string_view traceparent) {
  const auto trace = ParseTraceparent(traceparent);
  return trace ? TraceIdText(*trace) : std::string();
}

std::string TraceId(const std::vector<Header>& headers) {
  const auto found = std::ranges::find(headers, kTraceparent, &Header::first);
  return found == headers.end() ? std::string() : TraceId(found->second);
}

}  // namespace

void Relay::Handle(const pg::Frame& frame) {
  seen_ = std::max(seen_, frame.wal_end);
  if (frame.kind == pg::Frame::Kind::kKeepalive) {
    // WAL of other tables need not be kept for us.
    progress_.Pass(frame.wal_end);
    if (frame.reply_requested) SendStatus();
    return;
  }
  Failpoint("after_read");
  const Message message = decoder_.Decode(frame.data);
  if (const auto* begin = std::get_if<Begin>(&message)) {
    progress_.Begin(begin->commit_time, begin->xid);
    commit_lsn_ = ToString(begin->final_lsn);
  } else if (const auto* insert = std::get_if<Insert>(&message)) {
    HandleInsert(*insert);
  } else if (const auto* commit = std::get_if<Commit>(&message)) {
    progress_.Commit(commit->end_lsn);
    observer_.TransactionRead();
    if (Transactional()) {
      transaction_.Read(commit->end_lsn);
      EndKafkaTransactionIfDue();
    }
  } else if (const auto* relation = std::get_if<Relation>(&message)) {
    tables_.insert_or_assign(relation->oid,
                             MapTable(*relation, settings_.columns, settings_.source_prefix));
  }
}

void Relay::HandleInsert(const Insert& insert) {
  const auto table = tables_.find(insert.oid);
  if (table == tables_.end()) throw DecodeFault("a row of a table that was not described");
  row_ = insert.fields;
  row_read_ = Turn();
  if (!TryProduce(table->second)) held_->table = insert.oid;
}

bool Relay::TryHeld() {
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

bool Relay::TryProduce(const Readable<Table>& table) {
  if (!table) return Hold({.why = table.error()});
  const auto row = ReadRow(*table, *row_);
  if (!row) return Hold({.why = row.error()});
  if (Waits(*table, *row)) return true;
  if (progress_.Deduplicating()) {
    if (progress_.MustLookInto(row->topic)) LookInto(row->topic);
    if (progress_.IsInKafka(IdentityOf(row->event_id))) {
      observer_.LeftOut();
      return true;
    }
  }
  if (releasing_ && releasing_->seen.Contains(IdentityOf(row->event_id))) {
    observer_.LeftOut();
    return true;
  }
  const auto built = header_builder_.Build(*row, table->source, commit_lsn_);
  Obstacle obstacle{.event_id = row->event_id, .topic = row->topic};
  if (!built) {
    obstacle.why = built.error();
    return Refuse(*table, *row, obstacle);
  }
  if (IsKnownToBeRefused(*row, obstacle)) {
    obstacle.trace_id = TraceId(**built);
    return Refuse(*table, *row, obstacle);
  }
  if (!MayGo(row->event_id)) return Hold({.queue_full = true});
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

kafka::Produced Relay::Produce(const OutboxRow& row, const std::vector<Header>& headers) {
  kafka::Headers record_headers(headers.size());
  for (const auto& [name, value] : headers) record_headers.Add(name, value);
  if (Transactional() && !transaction_.open()) BeginKafkaTransaction();
  const auto token = progress_.AddEvent();
  const auto produced = producer_->Produce(
      {.topic = row.topic, .key = row.key, .value = row.payload, .token = token}, record_headers);
  if (produced == kafka::Produced::kQueued) {
    observer_.Produced(progress_.acknowledgements().CommitTime(), row_read_,
                       held_ ? SteadyClock::now() : row_read_);
    if (releasing_) releasing_->brought.Add(IdentityOf(row.event_id));
    Failpoint("after_produce");
  } else {
    progress_.TakeBack();
  }
  return produced;
}

bool Relay::Hold(const Obstacle& obstacle) {
  const auto now = SteadyClock::now();
  if (!held_ || held_->queue_full != obstacle.queue_full) {
    held_ = Held{.table = held_ ? held_->table : 0,
                 .since = now,
                 .retry_at = now,
                 .log_at = now,
                 .queue_full = obstacle.queue_full};
  }
  if (obstacle.queue_full) return false;
  if (transaction_.HasWhole()) {
    transaction_.SeparateWhatWasRead();
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

void Relay::OnDelivery(const kafka::Delivery& delivery) {
  if (!delivery.ok()) {
    // A client that was shut out tells first of the events that it gave up for it.
    if (Transactional()) (void)producer_->Drain([](const kafka::Delivery&) {});
    if (const kafka::Fault fault(delivery.code, "fenced"); fault.IsFenced())
      throw kafka::Fault(fault);
    transaction_.SeparateWhatWasRead();
    LogRefusal(delivery);
    SuspectRefused(delivery);
    throw kafka::Fault(delivery.code, "an event was refused: " + delivery.Reason());
  }
  if (delivery.token == kAwaitedToken) return;
  if (delivery.token == kCheckpointToken) {
    progress_.CheckpointWritten();
    observer_.CheckpointWritten();
    Failpoint("after_checkpoint");
    return;
  }
  Failpoint("after_delivery");
  if (logger_.Enabled(log::Level::kDebug)) LogRelayed(delivery);
  const Instant committed =
      progress_.Acknowledge(delivery.token, delivery.topic, delivery.partition, delivery.offset);
  observer_.Heard(delivery.Age());
  if (Transactional()) return transaction_.Delivery(delivery.topic, committed, delivery.bytes);
  observer_.Acknowledged(delivery.topic, committed, delivery.bytes);
}

void Relay::LogRelayed(const kafka::Delivery& delivery) {
  logger_.Debug("kafka has an event", {{"event_id", delivery.Header("ce_id")},
                                       {"topic", delivery.topic},
                                       {"partition", delivery.partition},
                                       {"offset", delivery.offset},
                                       {"trace_id", TraceId(delivery.Header(kTraceparent))}});
}

void Relay::LogRefusal(const kafka::Delivery& delivery) {
  logger_.Error("kafka refused an event: everything unacknowledged is sent again",
                {{"event_id", delivery.Header("ce_id")},
                 {"topic", delivery.topic},
                 {"trace_id", TraceId(delivery.Header(kTraceparent))},
                 {"why", delivery.Reason()}});
}

// A client dies before it tells which event it died of.
void Relay::NameTheRefused() {
  if (!producer_) return;
  const auto end = SteadyClock::now() + kRefusalNews;
  for (bool named = false; !named && SteadyClock::now() < end;) {
    waiter_.Wait(std::chrono::ceil<milliseconds>(end - SteadyClock::now()));
    try {
      (void)producer_->Drain([&](const kafka::Delivery& delivery) {
        if (named || delivery.ok()) return;
        LogRefusal(delivery);
        SuspectRefused(delivery);
        named = true;
      });
    } catch (const kafka::Fault&) {  // it is dead, which we know
    }
  }
}

}  // namespace countersign::relay
