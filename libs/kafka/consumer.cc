#include "libs/kafka/consumer.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "libs/kafka/client.h"

namespace countersign::kafka {
namespace {

constexpr std::chrono::seconds kCloseLimit{5};

PartitionsHandle ToList(std::span<const TopicPartition> partitions) {
  PartitionsHandle list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const auto& partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition);
  }
  return list;
}

std::vector<TopicPartition> FromList(const rd_kafka_topic_partition_list_t* list) {
  std::vector<TopicPartition> partitions;
  partitions.reserve(static_cast<std::size_t>(list->cnt));
  for (int i = 0; i < list->cnt; ++i) {
    partitions.push_back({list->elems[i].topic, list->elems[i].partition});
  }
  return partitions;
}

const char* ToSetting(From from) {
  switch (from) {
    case From::kBeginning:
      return "earliest";
    case From::kEnd:
      return "latest";
    case From::kError:
      return "error";
  }
  return "error";
}

void Succeed(rd_kafka_error_t* error, const std::string& doing) {
  if (error == nullptr) return;
  const auto code = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  Check(code, doing);
}

// What waiting cannot mend; everything else the client retries by itself.
bool NeedsDecision(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
      return true;
    default:
      return false;
  }
}

}  // namespace

struct Consumer::State final : ClientContext {
  RebalanceListener listener;
  std::exception_ptr fault;  // thrown inside a callback; may not pass through the C library
};

namespace {

void Assigned(rd_kafka_t* client, const Consumer::RebalanceListener& listener,
              const rd_kafka_topic_partition_list_t* list) {
  Succeed(rd_kafka_incremental_assign(client, list), "taking assigned partitions");
  if (listener.on_assigned) listener.on_assigned(FromList(list));
}

void Revoked(rd_kafka_t* client, const Consumer::RebalanceListener& listener,
             const rd_kafka_topic_partition_list_t* list) {
  const bool lost = rd_kafka_assignment_lost(client) != 0;
  if (listener.on_revoked) listener.on_revoked(FromList(list), lost);
  // Fails only where nothing was stored or the group is gone: the records then come again.
  if (!lost) rd_kafka_commit(client, nullptr, 0);
  Succeed(rd_kafka_incremental_unassign(client, list), "giving partitions back");
}

}  // namespace

Message::Message(MessageHandle handle) : handle_(std::move(handle)) {}
std::string_view Message::topic() const { return rd_kafka_topic_name(handle_->rkt); }
int Message::partition() const { return handle_->partition; }
std::int64_t Message::offset() const { return handle_->offset; }
bool Message::at_end() const { return handle_->err == RD_KAFKA_RESP_ERR__PARTITION_EOF; }

std::optional<std::string_view> Message::key() const {
  if (handle_->key == nullptr) return std::nullopt;
  return std::string_view{static_cast<const char*>(handle_->key), handle_->key_len};
}

std::string_view Message::value() const {
  return {static_cast<const char*>(handle_->payload), handle_->len};
}

Instant Message::time() const {
  rd_kafka_timestamp_type_t type{};
  return Instant{std::chrono::milliseconds{rd_kafka_message_timestamp(handle_.get(), &type)}};
}

std::optional<std::string_view> Message::Header(std::string_view name) const {
  const auto headers = Headers();
  const auto found = std::find_if(headers.rbegin(), headers.rend(),
                                  [&](const auto& header) { return header.first == name; });
  if (found == headers.rend()) return std::nullopt;
  return found->second;
}

std::vector<std::pair<std::string_view, std::string_view>> Message::Headers() const {
  std::vector<std::pair<std::string_view, std::string_view>> all;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(handle_.get(), &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return all;
  const std::size_t count = rd_kafka_header_cnt(headers);
  all.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    rd_kafka_header_get_all(headers, i, &name, &value, &size);
    all.emplace_back(name, std::string_view{static_cast<const char*>(value), size});
  }
  return all;
}

Consumer::Consumer(const ConsumerSettings& settings, RebalanceListener listener)
    : state_(std::make_unique<State>()) {
  state_->listener = std::move(listener);
  ConfHandle conf = MakeConf(settings.client, state_.get());
  const auto set = [&](const char* name, const std::string& value) {
    Set(conf.get(), name, value);
  };
  const auto number = [&](const char* name, std::int64_t value) {
    Set(conf.get(), name, std::to_string(value));
  };
  // librdkafka wants a group even for Assign; this one never joins or commits.
  set("group.id", settings.group.empty() ? "countersign-no-group" : settings.group);
  if (!settings.group_instance.empty()) set("group.instance.id", settings.group_instance);
  set("enable.auto.offset.store", "false");
  set("enable.auto.commit", settings.group.empty() ? "false" : "true");
  number("auto.commit.interval.ms", settings.commit_interval.count());
  set("partition.assignment.strategy", "cooperative-sticky");
  set("isolation.level", settings.committed_only ? "read_committed" : "read_uncommitted");
  set("auto.offset.reset", ToSetting(settings.reset));
  number("session.timeout.ms", settings.session_timeout.count());
  number("heartbeat.interval.ms", std::max<std::int64_t>(1, settings.session_timeout.count() / 5));
  number("max.poll.interval.ms",
         std::max(settings.max_poll_interval, settings.session_timeout).count());
  set("enable.partition.eof", settings.partition_end ? "true" : "false");
  number("queued.max.messages.kbytes", settings.prefetch_kbytes);
  // One answer may otherwise bring 50 MB. At least a message of the default limit.
  number("fetch.max.bytes", std::max<std::int64_t>(1'000'000, settings.prefetch_kbytes * 1024L));
  number("fetch.wait.max.ms", settings.fetch_wait.count());
  set("topic.metadata.refresh.interval.ms", "10000");
  rd_kafka_conf_set_rebalance_cb(
      conf.get(), [](rd_kafka_t* client, rd_kafka_resp_err_t code,
                     rd_kafka_topic_partition_list_t* list, void* opaque) {
        auto& state = *static_cast<State*>(static_cast<ClientContext*>(opaque));
        try {
          if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
            Assigned(client, state.listener, list);
          } else {
            Revoked(client, state.listener, list);
          }
        } catch (...) {
          state.fault = std::current_exception();
        }
      });
  client_ = MakeClient(RD_KAFKA_CONSUMER, std::move(conf), settings.client);
  Check(rd_kafka_poll_set_consumer(client_.get()), "joining queues");
}

Consumer::~Consumer() {
  if (!subscribed_) return;
  const QueueHandle closing(rd_kafka_queue_new(client_.get()));
  if (rd_kafka_error_t* error = rd_kafka_consumer_close_queue(client_.get(), closing.get())) {
    rd_kafka_error_destroy(error);
    return;
  }
  const auto deadline = std::chrono::steady_clock::now() + kCloseLimit;
  while (rd_kafka_consumer_closed(client_.get()) == 0 &&
         std::chrono::steady_clock::now() < deadline) {
    // Runs the callbacks too. Records that are still on their way are dropped here: where only
    // callbacks are served, the library aborts the process over one.
    const MessageHandle late(rd_kafka_consume_queue(closing.get(), 50));
  }
}

void Consumer::Subscribe(const std::vector<std::string>& topics) {
  const PartitionsHandle list(rd_kafka_topic_partition_list_new(static_cast<int>(topics.size())));
  for (const auto& topic : topics) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  Check(rd_kafka_subscribe(client_.get(), list.get()), "subscribing");
  subscribed_ = true;
}

void Consumer::Assign(const std::vector<StartAt>& partitions) {
  const PartitionsHandle list(
      rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const auto& start : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), start.partition.topic.c_str(),
                                      start.partition.partition)
        ->offset = start.offset;
  }
  Check(rd_kafka_assign(client_.get(), list.get()), "assigning");
}

std::optional<Message> Consumer::Poll(std::chrono::milliseconds limit) {
  MessageHandle message(rd_kafka_consumer_poll(client_.get(), static_cast<int>(limit.count())));
  if (state_->fault) std::rethrow_exception(std::exchange(state_->fault, nullptr));
  ThrowIfFatal(client_.get());
  if (!message) return std::nullopt;
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
      message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    return Message(std::move(message));
  }
  const std::string text = "consuming: " + std::string(rd_kafka_message_errstr(message.get()));
  if (NeedsDecision(message->err)) throw Fault(message->err, text);
  if (state_->log) state_->log(4, "CONSUME", text);
  return std::nullopt;
}

bool Consumer::Store(const TopicPartition& partition, std::int64_t next) {
  const PartitionsHandle list = ToList({&partition, 1});
  list->elems[0].offset = next;
  return rd_kafka_offsets_store(client_.get(), list.get()) == RD_KAFKA_RESP_ERR_NO_ERROR &&
         list->elems[0].err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

bool Consumer::Commit() {
  const auto code = rd_kafka_commit(client_.get(), nullptr, 0);
  switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return true;
    case RD_KAFKA_RESP_ERR__NO_OFFSET:
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
      return false;
    default:
      throw Fault(code, "committing offsets: " + kafka::Describe(code));
  }
}

void Consumer::Pause(std::span<const TopicPartition> partitions) {
  Check(rd_kafka_pause_partitions(client_.get(), ToList(partitions).get()), "pausing");
}

void Consumer::Resume(std::span<const TopicPartition> partitions) {
  Check(rd_kafka_resume_partitions(client_.get(), ToList(partitions).get()), "resuming");
}

std::vector<TopicPartition> Consumer::Assignment() const {
  rd_kafka_topic_partition_list_t* list = nullptr;
  Check(rd_kafka_assignment(client_.get(), &list), "reading the assignment");
  const PartitionsHandle owned(list);
  return FromList(list);
}

int Consumer::Partitions(const std::string& topic, std::chrono::milliseconds limit) const {
  const TopicHandle handle(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
  const rd_kafka_metadata_t* answer = nullptr;
  const auto code =
      rd_kafka_metadata(client_.get(), 0, handle.get(), &answer, static_cast<int>(limit.count()));
  const MetadataHandle metadata(answer);
  Check(code, "asking for the partitions of " + topic);
  CheckVisible(metadata.get(), "asking for the partitions of " + topic);
  return metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
}

Watermarks Consumer::QueryWatermarks(const TopicPartition& partition,
                                     std::chrono::milliseconds limit) const {
  Watermarks marks;
  Check(
      rd_kafka_query_watermark_offsets(client_.get(), partition.topic.c_str(), partition.partition,
                                       &marks.low, &marks.high, static_cast<int>(limit.count())),
      "asking for watermarks of " + partition.topic);
  return marks;
}

std::vector<std::int64_t> Consumer::OffsetsAt(const std::string& topic, int partitions,
                                              Instant time, std::chrono::milliseconds limit) const {
  const auto since = std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
  const PartitionsHandle list(rd_kafka_topic_partition_list_new(partitions));
  std::vector<std::int64_t> ends;
  for (int partition = 0; partition < partitions; ++partition) {
    ends.push_back(QueryWatermarks({topic, partition}, limit).high);
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset =
        std::max<std::int64_t>(0, since);
  }
  const std::string doing = "asking for offsets of " + topic + " by time";
  Check(rd_kafka_offsets_for_times(client_.get(), list.get(), static_cast<int>(limit.count())),
        doing);
  std::vector<std::int64_t> offsets = ends;
  for (int i = 0; i < list->cnt; ++i) {
    const auto& answer = list->elems[i];
    Check(answer.err, doing);
    if (answer.offset >= 0) offsets[static_cast<std::size_t>(answer.partition)] = answer.offset;
  }
  return offsets;
}

}  // namespace countersign::kafka
