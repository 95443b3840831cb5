#pragma once
#include <string>
#include <vector>

#include "libs/config/keys.h"
#include "libs/kafka/settings.h"
#include "libs/log/logger.h"

namespace countersign::kafka {

// How an operator says where a cluster is, for every process that talks to one.
struct ClientConfig {
  ClientSettings client;
  std::vector<std::string> properties;  // name=value
};
// Keys `kafka.brokers`, `kafka.tls`, ... with the struct's values as defaults.
void Bind(ClientConfig& config, config::Keys& keys);

// Of a configuration that passed the checks.
[[nodiscard]] ClientSettings ToSettings(const ClientConfig& config);

// The client library's lines as ours. The logger must outlive the client.
[[nodiscard]] LogSink LogTo(const log::Logger& logger);

}  // namespace countersign::kafka
