#pragma once
// Topics: list, create, read and set their configuration. Every call has a time limit and throws
// Fault when the cluster cannot be asked. Not thread safe.
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/kafka/fault.h"
#include "libs/kafka/handles.h"
#include "libs/kafka/settings.h"

namespace countersign::kafka {

using TopicConfig = std::map<std::string, std::string>;

struct TopicSpec {
  std::string name;
  int partitions = 1;
  int replication_factor = -1;  // -1: the broker's default
  TopicConfig config;
};

struct TopicDescription {
  std::string name;
  int partitions = 0;
  int replication_factor = 0;
};

enum class Created { kNew, kExists };

class Admin {
 public:
  // Throws SettingsFault.
  explicit Admin(const ClientSettings& settings);
  ~Admin();
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  [[nodiscard]] std::vector<TopicDescription> List(std::chrono::milliseconds limit);
  // Empty if there is no such topic. Throws Fault if we may not see it.
  [[nodiscard]] std::optional<TopicDescription> Describe(std::string_view name,
                                                         std::chrono::milliseconds limit);
  // An existing topic is left as it is.
  Created Create(const TopicSpec& spec, std::chrono::milliseconds limit);
  void Delete(const std::string& name, std::chrono::milliseconds limit);
  // Only what was set on the topic itself, not the broker's defaults.
  [[nodiscard]] TopicConfig Config(const std::string& name, std::chrono::milliseconds limit);
  // Replaces everything that was set on the topic: pass the whole wanted configuration.
  void SetConfig(const std::string& name, const TopicConfig& config,
                 std::chrono::milliseconds limit);

 private:
  std::unique_ptr<ClientContext> context_;  // the library keeps its address
  ClientHandle client_;
};

}  // namespace countersign::kafka
