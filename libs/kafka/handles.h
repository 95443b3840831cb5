#pragma once
// Owners of librdkafka's C handles. The types are declared, not included: only libs/kafka/*.cc see
// rdkafka.h.
#include <memory>

struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_queue_s;
struct rd_kafka_topic_s;
struct rd_kafka_message_s;
struct rd_kafka_metadata;
struct rd_kafka_headers_s;
struct rd_kafka_topic_partition_list_s;

namespace countersign::kafka {

struct ClientContext;  // what the library's callbacks point at (client.h)

struct Release {
  void operator()(rd_kafka_s* handle) const;
  void operator()(rd_kafka_conf_s* handle) const;
  void operator()(rd_kafka_queue_s* handle) const;
  void operator()(rd_kafka_topic_s* handle) const;
  void operator()(rd_kafka_message_s* handle) const;
  void operator()(const struct rd_kafka_metadata* handle) const;
  void operator()(rd_kafka_headers_s* handle) const;
  void operator()(rd_kafka_topic_partition_list_s* handle) const;
};

using ClientHandle = std::unique_ptr<rd_kafka_s, Release>;
using ConfHandle = std::unique_ptr<rd_kafka_conf_s, Release>;
using QueueHandle = std::unique_ptr<rd_kafka_queue_s, Release>;
using TopicHandle = std::unique_ptr<rd_kafka_topic_s, Release>;
using MessageHandle = std::unique_ptr<rd_kafka_message_s, Release>;
using MetadataHandle = std::unique_ptr<const struct rd_kafka_metadata, Release>;
using HeadersHandle = std::unique_ptr<rd_kafka_headers_s, Release>;
using PartitionsHandle = std::unique_ptr<rd_kafka_topic_partition_list_s, Release>;

}  // namespace countersign::kafka
