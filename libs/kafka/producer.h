#pragma once
// The idempotent producer: acks=all, never more than one copy and never out of order within its
// life, no gap after a refusal (the producer dies instead and the caller starts over from what was
// acknowledged). Not thread safe: one thread owns it.
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/kafka/fault.h"
#include "libs/kafka/handles.h"
#include "libs/kafka/headers.h"
#include "libs/kafka/settings.h"

namespace countersign::kafka {

struct ProducerSettings {
  ClientSettings client;
  // Wait for more records before a request is made. 0 is best live: batches still form while
  // earlier requests are on their way.
  std::chrono::microseconds linger{0};
  int queue_kbytes = 16 * 1024;  // hard limit of what is queued and unacknowledged
  int queue_messages = 100'000;
  std::chrono::milliseconds request_timeout{2000};  // how long a broker may take to answer
  std::chrono::milliseconds socket_timeout{10'000};
  std::string compression = "none";  // none, lz4, zstd, gzip, snappy
  // With a name every record belongs to a transaction: readers see all of it or nothing.
  std::string transactional_id{};
  // The cluster aborts a transaction that is open for longer.
  std::chrono::milliseconds transaction_timeout{60'000};
  // News that is no record's fate: brokers away, authentication refused. Called inside Drain.
  std::function<void(const Fault&)> on_error;
};

struct Record {
  std::string_view topic;
  std::string_view key;
  std::string_view value;
  std::uint64_t token = 0;  // comes back in the record's Delivery
};

enum class Produced {
  kQueued,
  // Nothing was taken; try again after deliveries were drained. Also while the partition's first
  // record of this producer has no answer yet: a broker that has nothing of a producer takes
  // whichever of its batches comes first, so a refused one could be overtaken.
  kQueueFull,
  kTooLarge,      // over message.max.bytes; nothing was taken
  kUnknownTopic,  // the cluster has no such topic now; nothing was taken
  kUnreachable,   // no broker answered whether the topic exists; nothing was taken
};

// One record's fate. Valid only inside the callback of Drain.
struct Delivery {
  std::uint64_t token = 0;
  int code = 0;  // 0: acknowledged by all in-sync replicas; else librdkafka's error code
  std::string_view topic;
  int partition = -1;
  std::int64_t offset = -1;
  std::size_t bytes = 0;  // of key and value
  const rd_kafka_message_s* message = nullptr;
  [[nodiscard]] bool ok() const { return code == 0; }
  [[nodiscard]] std::string Reason() const;
  // Sending it again would not help: too large, invalid, not authorised.
  [[nodiscard]] bool RefusedForGood() const;
  // Nothing may be sent to its topic.
  [[nodiscard]] bool TopicRefused() const;
  // Since Produce took the record.
  [[nodiscard]] std::chrono::microseconds Age() const;
  // The value of one of the record's headers, empty if absent.
  [[nodiscard]] std::string Header(std::string_view name) const;
};

class Producer {
 public:
  // Makes the client, without waiting for a broker. Throws SettingsFault.
  explicit Producer(const ProducerSettings& settings);
  // Drops what is unsent, without waiting. Records on their way may still be appended.
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Waits until a broker has answered; false when the time is over.
  [[nodiscard]] bool Reach(std::chrono::milliseconds limit);

  // Copies the record. Takes the headers only if the answer is kQueued. The first record of a topic
  // asks the cluster whether the topic exists, for at most kTopicLookup. Throws FatalFault.
  [[nodiscard]] Produced Produce(const Record& record, Headers& headers);

  // Readable when Drain has something to give. Owned by the producer.
  [[nodiscard]] int event_fd() const { return event_fd_; }
  // Hands over deliveries and forgets them; returns how many. Throws FatalFault, after the
  // deliveries before it.
  std::size_t Drain(const std::function<void(const Delivery&)>& on_delivery);

  // Records that are queued or on their way, and deliveries not drained yet.
  [[nodiscard]] std::size_t InFlight() const;
  // Drains until nothing is in flight or the time is over; true if nothing is.
  bool Flush(std::chrono::milliseconds limit,
             const std::function<void(const Delivery&)>& on_delivery);

  static constexpr std::chrono::milliseconds kTopicLookup{300};

  // Transactions, with a transactional_id only (transactions.cc). What they throw, Fault and
  // FatalFault, leaves this producer good for nothing but Abort: replace it.

  // Shuts out every earlier producer of the same name and ends the transaction it left. False if
  // the time is over: ask again. Once, before the first BeginTransaction.
  [[nodiscard]] bool TryFenceOthers(std::chrono::milliseconds limit);
  // Waits for nobody.
  void BeginTransaction();
  // When nothing is in flight. Where it throws, also because the time is over, the transaction may
  // be committed nevertheless.
  void Commit(std::chrono::milliseconds limit);
  // So that readers need not wait until the cluster aborts it. Forgets all deliveries; what cannot
  // be done is left to the cluster.
  void Abort(std::chrono::milliseconds limit);

 private:
  enum class Partition : std::uint8_t { kFresh, kAwaited, kSettled };
  struct Topic {
    TopicHandle handle;
    std::vector<Partition> partitions;
    std::size_t in_flight = 0;
  };
  // Null if the topic cannot be used now; `why` then says so.
  Topic* Find(std::string_view name, Produced& why);
  [[nodiscard]] static Partition& PartitionOf(Topic& topic, std::string_view key);
  void Settle(const Delivery& delivery);
  void ThrowIfFatal() const;

  int event_fd_ = -1;
  std::unique_ptr<ClientContext> context_;  // the library keeps its address
  std::function<void(const Fault&)> on_error_;
  ClientHandle client_;
  QueueHandle queue_;
  std::map<std::string, Topic, std::less<>> topics_;
};

}  // namespace countersign::kafka
