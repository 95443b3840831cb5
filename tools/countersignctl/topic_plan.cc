#include "tools/countersignctl/topic_plan.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "libs/config/document.h"
#include "tools/countersignctl/command.h"

namespace countersign::ctl {
namespace {

constexpr int kMaxPartitions = 10'000;

int ParsePartitions(const std::string& topic, const nlohmann::json& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : "";
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count < 1 ||
      count > kMaxPartitions) {
    throw Failure(fmt::format("topic {}: partitions must be 1 to {}", topic, kMaxPartitions));
  }
  return count;
}

kafka::TopicSpec ParseTopic(const nlohmann::json& entry) {
  if (!entry.is_object() || !entry.contains("name") || !entry["name"].is_string()) {
    throw Failure("topics: every entry needs a name");
  }
  kafka::TopicSpec spec{.name = entry["name"].get<std::string>(), .config = {}};
  for (const auto& [key, value] : entry.items()) {
    if (key == "partitions") {
      spec.partitions = ParsePartitions(spec.name, value);
    } else if (key == "config" && value.is_object()) {
      for (const auto& [setting, text] : value.items()) {
        if (!text.is_string()) {
          throw Failure(fmt::format("topic {}: {} needs a value", spec.name, setting));
        }
        spec.config[setting] = text.get<std::string>();
      }
    } else if (key != "name") {
      throw Failure(fmt::format("topic {}: unknown or malformed key {}", spec.name, key));
    }
  }
  return spec;
}

}  // namespace

std::vector<kafka::TopicSpec> ReadTopics(const std::filesystem::path& file) {
  const auto document = config::ReadDocument(file);
  if (!document.is_object() || document.size() != 1 || !document.contains("topics") ||
      !document["topics"].is_array()) {
    throw Failure(fmt::format("{}: expected the one key `topics` with a list", file.string()));
  }
  std::vector<kafka::TopicSpec> specs;
  std::set<std::string> names;
  for (const auto& entry : document["topics"]) {
    specs.push_back(ParseTopic(entry));
    if (!names.insert(specs.back().name).second) {
      throw Failure(fmt::format("topic {} is declared twice", specs.back().name));
    }
  }
  return specs;
}

std::vector<TopicDifference> Differences(const kafka::TopicSpec& wanted,
                                         const ActualTopic& actual) {
  std::vector<TopicDifference> found;
  if (wanted.partitions != actual.partitions) {
    found.push_back({wanted.name, "partitions", std::to_string(wanted.partitions),
                     std::to_string(actual.partitions), false});
  }
  for (const auto& [setting, value] : wanted.config) {
    const auto present = actual.config.find(setting);
    const std::string has = present == actual.config.end() ? "" : present->second;
    if (has != value) found.push_back({wanted.name, setting, value, has, true});
  }
  for (const auto& [setting, value] : actual.config) {
    if (!wanted.config.contains(setting)) {
      found.push_back({wanted.name, setting, "", value, false});
    }
  }
  return found;
}

kafka::TopicConfig Merged(const kafka::TopicSpec& wanted, const ActualTopic& actual) {
  kafka::TopicConfig merged = wanted.config;
  merged.insert(actual.config.begin(), actual.config.end());
  return merged;
}

}  // namespace countersign::ctl
