#pragma once
#include <chrono>
#include <string>

#include "libs/config/keys.h"
#include "libs/kafka/config.h"
#include "libs/process/process.h"
#include "services/outbox-relay/relay_settings.h"

namespace countersign::relay {

// Defaults are here; every key is named once, in config.cc.
struct Config {
  process::Settings process{.metrics_listen = "127.0.0.1:9465"};
  RelaySettings relay;
  kafka::ClientConfig kafka;
  std::string admin_socket;
  std::chrono::milliseconds canary_interval{0};
  std::string canary_topic = "countersign.relay.canary";
  config::Size queue{16 * 1024 * 1024};
  std::chrono::milliseconds linger{0};
  std::string source = "wal";
  std::string delivery = "deduplicated";
  std::string first_start = "everything";
  std::string on_refusal = "park";
};

void Bind(Config& config, config::Keys& keys);
// The relay's settings with everything derived, of a configuration that passed the checks.
[[nodiscard]] RelaySettings ToSettings(const Config& config);

}  // namespace countersign::relay
