#include "libs/kafka/producer.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "libs/kafka/client.h"

namespace countersign::kafka {
namespace {

struct EventRelease {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
using EventHandle = std::unique_ptr<rd_kafka_event_t, EventRelease>;

std::string Number(std::int64_t value) { return std::to_string(value); }

ConfHandle ProducerConf(const ProducerSettings& settings, ClientContext* context) {
  ConfHandle conf = MakeConf(settings.client, context);
  Set(conf.get(), "enable.idempotence", "true");
  Set(conf.get(), "acks", "all");
  Set(conf.get(), "max.in.flight.requests.per.connection", "5");
  if (settings.transactional_id.empty()) {
    // After a refusal nothing later of the same key may pass: the producer dies instead.
    Set(conf.get(), "enable.gapless.guarantee", "true");
    // A record that timed out would be skipped and later ones sent: a hole in the order.
    Set(conf.get(), "message.timeout.ms", "0");
  } else {
    // Either leaves a transaction that cannot be committed any more.
    Set(conf.get(), "transactional.id", settings.transactional_id);
    Set(conf.get(), "transaction.timeout.ms", Number(settings.transaction_timeout.count()));
    Set(conf.get(), "message.timeout.ms", Number(settings.transaction_timeout.count() / 2));
  }
  // The Java clients' partitioner, so that a key keeps its partition whoever writes.
  Set(conf.get(), "partitioner", "murmur2_random");
  Set(conf.get(), "queue.buffering.max.kbytes", Number(settings.queue_kbytes));
  Set(conf.get(), "queue.buffering.max.messages", Number(settings.queue_messages));
  Set(conf.get(), "linger.ms",
      std::to_string(static_cast<double>(settings.linger.count()) / 1000.0));
  Set(conf.get(), "request.timeout.ms", Number(settings.request_timeout.count()));
  Set(conf.get(), "socket.timeout.ms", Number(settings.socket_timeout.count()));
  Set(conf.get(), "compression.type", settings.compression);
  // The fate of a topic is asked for before its first record; a stale answer must not linger.
  Set(conf.get(), "topic.metadata.propagation.max.ms", "2000");
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
  return conf;
}

Delivery ToDelivery(const rd_kafka_message_t* message) {
  return {.token = reinterpret_cast<std::uint64_t>(message->_private),
          .code = message->err,
          .topic = rd_kafka_topic_name(message->rkt),
          .partition = message->partition,
          .offset = message->offset,
          .bytes = message->key_len + message->len,
          .message = message};
}

}  // namespace

Headers::Headers(std::size_t expected) : handle_(rd_kafka_headers_new(expected)) {}

void Headers::Add(std::string_view name, std::string_view value) {
  // A view of nothing may have no address, which the library would take for a null value.
  const char* data = value.empty() ? "" : value.data();
  Check(rd_kafka_header_add(handle_.get(), name.data(), static_cast<ssize_t>(name.size()), data,
                            static_cast<ssize_t>(value.size())),
        "adding a header");
}

std::string Delivery::Reason() const { return Describe(static_cast<rd_kafka_resp_err_t>(code)); }

bool Delivery::RefusedForGood() const {
  return TopicRefused() || code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
         code == RD_KAFKA_RESP_ERR_INVALID_MSG || code == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE ||
         code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE ||
         code == RD_KAFKA_RESP_ERR_INVALID_RECORD || code == RD_KAFKA_RESP_ERR_POLICY_VIOLATION;
}

bool Delivery::TopicRefused() const { return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; }

std::chrono::microseconds Delivery::Age() const {
  // Below 0: the library does not know.
  const std::int64_t age = message == nullptr ? 0 : rd_kafka_message_latency(message);
  return std::chrono::microseconds{std::max<std::int64_t>(age, 0)};
}

std::string Delivery::Header(std::string_view name) const {
  rd_kafka_headers_t* headers = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  if (message == nullptr || rd_kafka_message_headers(message, &headers) != 0) return {};
  if (rd_kafka_header_get_last(headers, std::string(name).c_str(), &value, &size) != 0) return {};
  return {static_cast<const char*>(value), size};
}

Producer::Producer(const ProducerSettings& settings)
    : context_(std::make_unique<ClientContext>()), on_error_(settings.on_error) {
  client_ = MakeClient(RD_KAFKA_PRODUCER, ProducerConf(settings, context_.get()), settings.client);
  queue_.reset(rd_kafka_queue_get_main(client_.get()));
  event_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (event_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  const std::uint64_t one = 1;
  rd_kafka_queue_io_event_enable(queue_.get(), event_fd_, &one, sizeof one);
}

Producer::~Producer() {
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                    RD_KAFKA_PURGE_F_NON_BLOCKING);
  rd_kafka_queue_io_event_enable(queue_.get(), -1, nullptr, 0);
  topics_.clear();
  queue_.reset();
  client_.reset();
  close(event_fd_);
}

void Producer::ThrowIfFatal() const { kafka::ThrowIfFatal(client_.get()); }

bool Producer::Reach(std::chrono::milliseconds limit) {
  const rd_kafka_metadata_t* answer = nullptr;
  const auto code =
      rd_kafka_metadata(client_.get(), 0, nullptr, &answer, static_cast<int>(limit.count()));
  const MetadataHandle metadata(answer);
  return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

Producer::Topic* Producer::Find(std::string_view name, Produced& why) {
  if (const auto known = topics_.find(name); known != topics_.end()) return &known->second;
  TopicHandle handle(rd_kafka_topic_new(client_.get(), std::string(name).c_str(), nullptr));
  if (!handle) {
    why = Produced::kUnknownTopic;  // a name no cluster would have
    return nullptr;
  }
  const rd_kafka_metadata_t* answer = nullptr;
  const auto code = rd_kafka_metadata(client_.get(), 0, handle.get(), &answer,
                                      static_cast<int>(kTopicLookup.count()));
  const MetadataHandle metadata(answer);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1) {
    why = Produced::kUnreachable;
    return nullptr;
  }
  const auto& found = metadata->topics[0];
  if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR || found.partition_cnt == 0) {
    why = Produced::kUnknownTopic;
    return nullptr;
  }
  Topic topic{
      .handle = std::move(handle),
      .partitions = std::vector(static_cast<std::size_t>(found.partition_cnt), Partition::kFresh)};
  return &topics_.emplace(std::string(name), std::move(topic)).first->second;
}

// The one that the client library will choose, too.
Producer::Partition& Producer::PartitionOf(Topic& topic, std::string_view key) {
  const auto partition = rd_kafka_msg_partitioner_murmur2_random(
      topic.handle.get(), key.data(), key.size(), static_cast<int>(topic.partitions.size()),
      nullptr, nullptr);
  return topic.partitions[static_cast<std::size_t>(partition)];
}

// The broker has something of ours in that partition: from now on it holds us to the order.
void Producer::Settle(const Delivery& delivery) {
  const auto found = topics_.find(delivery.topic);
  if (found == topics_.end()) return;
  auto& [handle, partitions, in_flight] = found->second;
  if (in_flight > 0) --in_flight;
  const auto partition = static_cast<std::size_t>(delivery.partition);
  if (delivery.ok() && delivery.partition >= 0 && partition < partitions.size()) {
    partitions[partition] = Partition::kSettled;
  }
  // A topic that was given more partitions may have had an answer from another than was awaited.
  if (in_flight == 0) {
    std::ranges::replace(partitions, Partition::kAwaited, Partition::kFresh);
  }
}

Produced Producer::Produce(const Record& record, Headers& headers) {
  Produced why = Produced::kQueued;
  Topic* topic = Find(record.topic, why);
  if (topic == nullptr) return why;
  Partition& partition = PartitionOf(*topic, record.key);
  if (partition == Partition::kAwaited) return Produced::kQueueFull;
  // The library takes const-less pointers but copies (RD_KAFKA_MSG_F_COPY).
  const auto code = rd_kafka_producev(
      client_.get(), RD_KAFKA_V_RKT(topic->handle.get()),
      RD_KAFKA_V_KEY(const_cast<char*>(record.key.data()), record.key.size()),
      RD_KAFKA_V_VALUE(const_cast<char*>(record.value.data()), record.value.size()),
      RD_KAFKA_V_HEADERS(headers.handle_.get()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(record.token)), RD_KAFKA_V_END);
  switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      (void)headers.handle_.release();  // the library owns them now
      ++topic->in_flight;
      if (partition == Partition::kFresh) partition = Partition::kAwaited;
      return Produced::kQueued;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
      return Produced::kQueueFull;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
      return Produced::kTooLarge;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      topics_.erase(topics_.find(record.topic));
      return Produced::kUnknownTopic;
    default:
      ThrowIfFatal();
      throw Fault(code, "producing to " + std::string(record.topic) + ": " + Describe(code));
  }
}

std::size_t Producer::Drain(const std::function<void(const Delivery&)>& on_delivery) {
  constexpr std::size_t kBatch = 256;
  std::uint64_t wakeups = 0;
  // Emptied before the queue: a later delivery makes the descriptor readable again.
  (void)!read(event_fd_, &wakeups, sizeof wakeups);
  std::size_t drained = 0;
  while (true) {
    const EventHandle event(rd_kafka_queue_poll(queue_.get(), 0));
    if (!event) break;
    if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) {
      const auto code = rd_kafka_event_error(event.get());
      if (on_error_)
        on_error_(Fault(code, Explain(code, rd_kafka_event_error_string(event.get()))));
      continue;
    }
    if (rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_DR) continue;
    const rd_kafka_message_t* messages[kBatch];
    while (const auto count = rd_kafka_event_message_array(event.get(), messages, kBatch)) {
      for (std::size_t i = 0; i < count; ++i) {
        const Delivery delivery = ToDelivery(messages[i]);
        Settle(delivery);
        on_delivery(delivery);
      }
      drained += count;
    }
  }
  ThrowIfFatal();
  return drained;
}

std::size_t Producer::InFlight() const {
  return static_cast<std::size_t>(rd_kafka_outq_len(client_.get()));
}

bool Producer::Flush(std::chrono::milliseconds limit,
                     const std::function<void(const Delivery&)>& on_delivery) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (true) {
    Drain(on_delivery);
    if (InFlight() == 0) return true;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd waiting{.fd = event_fd_, .events = POLLIN, .revents = 0};
    poll(&waiting, 1, static_cast<int>(left.count()));
  }
}

}  // namespace countersign::kafka
