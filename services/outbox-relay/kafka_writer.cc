#include "services/outbox-relay/kafka_writer.h"

#include <sys/epoll.h>

#include "libs/core/failpoint.h"
#include "services/outbox-relay/domain/trace_id.h"
#include "services/outbox-relay/tail.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kCredentialCheck{2'000};
constexpr milliseconds kReach{500};
constexpr milliseconds kRefusalNews{200};
// Between two looks at what else must be done.
constexpr milliseconds kStep{200};
// The transaction that an earlier relay left must be ended first.
constexpr std::chrono::seconds kFenceLimit{30};
constexpr std::chrono::seconds kFenceStep{2};
constexpr milliseconds kAbortLimit{1'000};

}  // namespace

KafkaWriter::KafkaWriter(const RelaySettings& settings, Waiter& waiter, Progress& progress,
                         Leadership& leadership, Refusals& refusals, const log::Logger& logger,
                         Observer& observer)
    : settings_(settings),
      waiter_(waiter),
      progress_(progress),
      leadership_(leadership),
      refusals_(refusals),
      logger_(logger),
      observer_(observer),
      producer_settings_(settings.kafka),
      transaction_(settings.kafka.transaction_timeout) {
  if (settings_.Transactional()) {
    // Whoever has the checkpoints of that name is the one that may write.
    producer_settings_.transactional_id = settings_.checkpoint_topic + "/" + settings_.slot;
  }
  producer_settings_.on_error = [this](const kafka::Fault& fault) {
    logger_.Warn("kafka trouble", {{"why", fault.what()}});
    if (fault.IsAuthentication()) refused_ = fault;
  };
}

void KafkaWriter::CheckCredentials() {
  Open();
  if (producer_->Reach(kCredentialCheck)) return;
  (void)producer_->Drain([](const kafka::Delivery&) {});  // the cause is among the news
  if (refused_) throw kafka::Fault(*refused_);
  logger_.Warn("no kafka broker answers yet");
}

void KafkaWriter::Open() {
  if (producer_) return;
  producer_ = std::make_unique<kafka::Producer>(producer_settings_);
  waiter_.Watch(producer_->event_fd(), EPOLLIN);
}

void KafkaWriter::Drop() {
  if (producer_) waiter_.Forget(producer_->event_fd());
  producer_.reset();
  progress_.Resume({.from = progress_.acknowledgements().Confirmed()});
}

void KafkaWriter::RequireBroker() {
  if (!producer_->Reach(kReach)) throw TailFault("no kafka broker answers");
}

kafka::Produced KafkaWriter::Produce(const kafka::Record& record, kafka::Headers& headers) {
  if (settings_.Transactional()) BeginTransactionIfNone();
  return producer_->Produce(record, headers);
}

void KafkaWriter::Drain() {
  (void)producer_->Drain([this](const kafka::Delivery& delivery) { OnDelivery(delivery); });
}

bool KafkaWriter::Flush(milliseconds limit) {
  return producer_->Flush(limit, [this](const kafka::Delivery& delivery) { OnDelivery(delivery); });
}

void KafkaWriter::OnDelivery(const kafka::Delivery& delivery) {
  if (!delivery.ok()) {
    // A client that was shut out tells first of the events that it gave up for it.
    if (settings_.Transactional()) (void)producer_->Drain([](const kafka::Delivery&) {});
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
  if (!settings_.Transactional()) {
    return observer_.Acknowledged(delivery.topic, committed, delivery.bytes);
  }
  transaction_.Delivery(delivery.topic, committed, delivery.bytes);
}

void KafkaWriter::SuspectRefused(const kafka::Delivery& delivery) {
  const auto event_id = delivery.Header("ce_id");
  // What is held is tried again and again, beside others: the cluster may take it one day.
  if (settings_.on_refusal == OnRefusal::kHold) return;
  if (!delivery.RefusedForGood() || event_id.empty()) return;
  refusals_.Suspect(event_id, {.why = delivery.Reason(), .whole_topic = delivery.TopicRefused()},
                    progress_.acknowledgements().InFlight());
}

void KafkaWriter::LogRelayed(const kafka::Delivery& delivery) {
  logger_.Debug("kafka has an event", {{"event_id", delivery.Header("ce_id")},
                                       {"topic", delivery.topic},
                                       {"partition", delivery.partition},
                                       {"offset", delivery.offset},
                                       {"trace_id", TraceId(delivery.Header(kTraceparent))}});
}

void KafkaWriter::LogRefusal(const kafka::Delivery& delivery) {
  logger_.Error("kafka refused an event: everything unacknowledged is sent again",
                {{"event_id", delivery.Header("ce_id")},
                 {"topic", delivery.topic},
                 {"trace_id", TraceId(delivery.Header(kTraceparent))},
                 {"why", delivery.Reason()}});
}

void KafkaWriter::NameTheRefused() {
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

bool KafkaWriter::FenceOthers(const std::stop_token& stop) {
  RequireBroker();
  const auto limit = SteadyClock::now() + kFenceLimit;
  while (!producer_->TryFenceOthers(kFenceStep)) {
    if (stop.stop_requested()) return false;
    if (SteadyClock::now() > limit) throw TailFault("kafka does not let this relay write");
  }
  transaction_.Fenced(SteadyClock::now());
  return true;
}

void KafkaWriter::BeginTransactionIfNone() {
  if (transaction_.open()) return;
  producer_->BeginTransaction();
  transaction_.Begin(SteadyClock::now());
  Failpoint("after_begin");
}

void KafkaWriter::CommitTransaction(SteadyTime deadline) {
  AwaitTransaction(deadline);
  Failpoint("before_commit");
  // This thread gives no sign of life meanwhile.
  producer_->Commit(settings_.takeover_after / 2);
  Failpoint("after_commit");
  progress_.TransactionEnded();
  for (const auto& made_visible : transaction_.Committed(SteadyClock::now())) {
    observer_.Acknowledged(made_visible.topic, made_visible.committed, made_visible.bytes,
                           made_visible.events);
  }
  observer_.KafkaTransaction(true);
}

// Until Kafka has everything that is in it.
void KafkaWriter::AwaitTransaction(SteadyTime deadline) {
  while (!Flush(kStep)) {
    leadership_.Keep();
    observer_.Progress(progress_.acknowledgements(), leadership_.seen());
    const auto now = SteadyClock::now();
    if (now > deadline || transaction_.Overdue(now)) {
      throw kafka::Fault(0, "kafka does not take all of a transaction in time");
    }
  }
}

void KafkaWriter::EndRowsIfDue() {
  if (transaction_.RowsMustEnd(SteadyClock::now())) CommitTransaction();
}

void KafkaWriter::GiveUpTransaction() {
  if (!settings_.Transactional() || !producer_) return;
  if (transaction_.open()) {
    producer_->Abort(kAbortLimit);
    observer_.KafkaTransaction(false);
  }
  transaction_.Lost();
  Drop();
}

}  // namespace countersign::relay
