#include "libs/kafka/admin.h"

#include "libs/kafka/client.h"

namespace countersign::kafka {
namespace {

struct OptionsRelease {
  void operator()(rd_kafka_AdminOptions_t* options) const {
    rd_kafka_AdminOptions_destroy(options);
  }
};
struct EventRelease {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
struct NewTopicRelease {
  void operator()(rd_kafka_NewTopic_t* topic) const { rd_kafka_NewTopic_destroy(topic); }
};
struct DeleteTopicRelease {
  void operator()(rd_kafka_DeleteTopic_t* topic) const { rd_kafka_DeleteTopic_destroy(topic); }
};
struct ResourceRelease {
  void operator()(rd_kafka_ConfigResource_t* resource) const {
    rd_kafka_ConfigResource_destroy(resource);
  }
};
using OptionsHandle = std::unique_ptr<rd_kafka_AdminOptions_t, OptionsRelease>;
using EventHandle = std::unique_ptr<rd_kafka_event_t, EventRelease>;
using ResourceHandle = std::unique_ptr<rd_kafka_ConfigResource_t, ResourceRelease>;

OptionsHandle Options(rd_kafka_t* client, rd_kafka_admin_op_t operation,
                      std::chrono::milliseconds limit) {
  OptionsHandle options(rd_kafka_AdminOptions_new(client, operation));
  rd_kafka_AdminOptions_set_request_timeout(options.get(), static_cast<int>(limit.count()), nullptr,
                                            0);
  return options;
}

// The one result of a call that was sent to `queue`.
EventHandle Await(rd_kafka_queue_t* queue, std::chrono::milliseconds limit,
                  const std::string& doing) {
  // The request's own limit comes first; the margin only guards against a client that forgot us.
  EventHandle event(rd_kafka_queue_poll(queue, static_cast<int>(limit.count()) + 1000));
  if (!event) throw Fault(RD_KAFKA_RESP_ERR__TIMED_OUT, doing + ": no answer in time");
  const auto code = rd_kafka_event_error(event.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw Fault(code, doing + ": " + rd_kafka_event_error_string(event.get()));
  }
  return event;
}

ResourceHandle Resource(const std::string& topic) {
  return ResourceHandle(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
}

void CheckResource(const rd_kafka_ConfigResource_t* resource, const std::string& doing) {
  const auto code = rd_kafka_ConfigResource_error(resource);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const char* text = rd_kafka_ConfigResource_error_string(resource);
  throw Fault(code, doing + ": " + (text == nullptr ? Describe(code) : std::string(text)));
}

TopicDescription ToDescription(const rd_kafka_metadata_topic& topic) {
  return {.name = topic.topic,
          .partitions = topic.partition_cnt,
          .replication_factor = topic.partition_cnt == 0 ? 0 : topic.partitions[0].replica_cnt};
}

}  // namespace

Admin::Admin(const ClientSettings& settings) : context_(std::make_unique<ClientContext>()) {
  client_ = MakeClient(RD_KAFKA_PRODUCER, MakeConf(settings, context_.get()), settings);
}

Admin::~Admin() = default;

std::vector<TopicDescription> Admin::List(std::chrono::milliseconds limit) {
  const rd_kafka_metadata_t* answer = nullptr;
  Check(rd_kafka_metadata(client_.get(), 1, nullptr, &answer, static_cast<int>(limit.count())),
        "listing topics");
  const MetadataHandle metadata(answer);
  std::vector<TopicDescription> topics;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    if (metadata->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      topics.push_back(ToDescription(metadata->topics[i]));
    }
  }
  return topics;
}

std::optional<TopicDescription> Admin::Describe(std::string_view name,
                                                std::chrono::milliseconds limit) {
  for (auto& topic : List(limit)) {
    if (topic.name == name) return std::move(topic);
  }
  // A list is silent about what may not be seen.
  const std::string doing = "asking for topic " + std::string(name);
  const TopicHandle handle(rd_kafka_topic_new(client_.get(), std::string(name).c_str(), nullptr));
  if (!handle) return std::nullopt;  // a name no cluster would have
  const rd_kafka_metadata_t* answer = nullptr;
  Check(rd_kafka_metadata(client_.get(), 0, handle.get(), &answer, static_cast<int>(limit.count())),
        doing);
  const MetadataHandle metadata(answer);
  CheckVisible(metadata.get(), doing);
  return std::nullopt;
}

Created Admin::Create(const TopicSpec& spec, std::chrono::milliseconds limit) {
  const std::string doing = "creating topic " + spec.name;
  char text[512] = {};
  const std::unique_ptr<rd_kafka_NewTopic_t, NewTopicRelease> topic(rd_kafka_NewTopic_new(
      spec.name.c_str(), spec.partitions, spec.replication_factor, text, sizeof text));
  if (!topic) throw SettingsFault(doing + ": " + text);
  for (const auto& [name, value] : spec.config) {
    Check(rd_kafka_NewTopic_set_config(topic.get(), name.c_str(), value.c_str()), doing);
  }
  const QueueHandle queue(rd_kafka_queue_new(client_.get()));
  const auto options = Options(client_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS, limit);
  // The answer waits until the cluster has the topic, so that a producer finds it at once.
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), static_cast<int>(limit.count()),
                                              nullptr, 0);
  rd_kafka_NewTopic_t* list[] = {topic.get()};
  rd_kafka_CreateTopics(client_.get(), list, 1, options.get(), queue.get());
  const auto event = Await(queue.get(), limit, doing);
  std::size_t count = 0;
  const auto* results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  const auto code =
      count == 0 ? RD_KAFKA_RESP_ERR__BAD_MSG : rd_kafka_topic_result_error(results[0]);
  if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return Created::kExists;
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* why = count == 0 ? nullptr : rd_kafka_topic_result_error_string(results[0]);
    throw Fault(code, doing + ": " + (why == nullptr ? kafka::Describe(code) : std::string(why)));
  }
  return Created::kNew;
}

void Admin::Delete(const std::string& name, std::chrono::milliseconds limit) {
  const std::string doing = "deleting topic " + name;
  const std::unique_ptr<rd_kafka_DeleteTopic_t, DeleteTopicRelease> topic(
      rd_kafka_DeleteTopic_new(name.c_str()));
  const QueueHandle queue(rd_kafka_queue_new(client_.get()));
  const auto options = Options(client_.get(), RD_KAFKA_ADMIN_OP_DELETETOPICS, limit);
  rd_kafka_DeleteTopic_t* list[] = {topic.get()};
  rd_kafka_DeleteTopics(client_.get(), list, 1, options.get(), queue.get());
  const auto event = Await(queue.get(), limit, doing);
  std::size_t count = 0;
  const auto* results =
      rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event.get()), &count);
  if (count > 0) Check(rd_kafka_topic_result_error(results[0]), doing);
}

TopicConfig Admin::Config(const std::string& name, std::chrono::milliseconds limit) {
  const std::string doing = "reading the configuration of topic " + name;
  const ResourceHandle resource = Resource(name);
  const QueueHandle queue(rd_kafka_queue_new(client_.get()));
  const auto options = Options(client_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, limit);
  rd_kafka_ConfigResource_t* list[] = {resource.get()};
  rd_kafka_DescribeConfigs(client_.get(), list, 1, options.get(), queue.get());
  const auto event = Await(queue.get(), limit, doing);
  std::size_t count = 0;
  const auto* results = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  TopicConfig config;
  if (count == 0) return config;
  CheckResource(results[0], doing);
  std::size_t entries = 0;
  const auto* entry = rd_kafka_ConfigResource_configs(results[0], &entries);
  for (std::size_t i = 0; i < entries; ++i) {
    const char* value = rd_kafka_ConfigEntry_value(entry[i]);
    if (rd_kafka_ConfigEntry_source(entry[i]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG &&
        value != nullptr) {
      config.emplace(rd_kafka_ConfigEntry_name(entry[i]), value);
    }
  }
  return config;
}

void Admin::SetConfig(const std::string& name, const TopicConfig& config,
                      std::chrono::milliseconds limit) {
  const std::string doing = "setting the configuration of topic " + name;
  const ResourceHandle resource = Resource(name);
  for (const auto& [key, value] : config) {
    Check(rd_kafka_ConfigResource_set_config(resource.get(), key.c_str(), value.c_str()), doing);
  }
  const QueueHandle queue(rd_kafka_queue_new(client_.get()));
  const auto options = Options(client_.get(), RD_KAFKA_ADMIN_OP_ALTERCONFIGS, limit);
  rd_kafka_ConfigResource_t* list[] = {resource.get()};
  rd_kafka_AlterConfigs(client_.get(), list, 1, options.get(), queue.get());
  const auto event = Await(queue.get(), limit, doing);
  std::size_t count = 0;
  const auto* results = rd_kafka_AlterConfigs_result_resources(
      rd_kafka_event_AlterConfigs_result(event.get()), &count);
  if (count > 0) CheckResource(results[0], doing);
}

}  // namespace countersign::kafka
