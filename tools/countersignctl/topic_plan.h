#pragma once
// The declared topics beside those of a cluster. Pure but for reading the file.
#include <filesystem>
#include <string>
#include <vector>

#include "libs/kafka/admin.h"

namespace countersign::ctl {

// Reads deploy/topics.yaml. Throws Failure naming the topic and what is wrong.
[[nodiscard]] std::vector<kafka::TopicSpec> ReadTopics(const std::filesystem::path& file);

struct ActualTopic {
  int partitions = 0;
  kafka::TopicConfig config;  // what was set on the topic itself
};

// What a topic of the cluster lacks, or has beside the declaration.
struct TopicDifference {
  std::string topic;
  std::string what;     // "partitions", or the name of a setting
  std::string wanted;   // "" if it is not declared
  std::string present;  // "" if it is not set
  // False for what apply leaves alone: partition counts and settings that are not declared.
  bool applied = true;
};

[[nodiscard]] std::vector<TopicDifference> Differences(const kafka::TopicSpec& wanted,
                                                       const ActualTopic& actual);

// Everything that is set on the topic, with the declared settings on top.
[[nodiscard]] kafka::TopicConfig Merged(const kafka::TopicSpec& wanted, const ActualTopic& actual);

}  // namespace countersign::ctl
