#pragma once
// What every client of a cluster needs. Plain values; checked when a client is made.
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/core/secret.h"

namespace countersign::kafka {

struct Tls {
  std::string ca_file;           // empty: the system's authorities
  std::string certificate_file;  // with key_file: mutual TLS
  std::string key_file;
};

struct Sasl {
  std::string mechanism;  // SCRAM-SHA-256, SCRAM-SHA-512 or PLAIN; empty: no SASL
  std::string username;
  Secret<std::string> password;
};

// A line of the client library. `level` is syslog's: 3 error, 4 warning, 6 info, 7 debug. Called on
// the library's threads: must be thread safe and must not block.
using LogSink = std::function<void(int level, std::string_view facility, std::string_view text)>;

struct ClientSettings {
  std::string brokers;  // host:port,host:port
  std::string client_id = "countersign";
  bool use_tls = false;
  Tls tls;
  Sasl sasl;
  // Plaintext is refused unless every broker is on loopback or this is set.
  bool allow_plaintext = false;
  LogSink log;
  // librdkafka properties by name, applied last: the operator's own choice. Those that choose the
  // brokers, weaken TLS or take a promise about events back are refused.
  std::vector<std::pair<std::string, std::string>> properties;
};

struct TopicPartition {
  std::string topic;
  int partition = -1;
  auto operator<=>(const TopicPartition&) const = default;
};

// True if every host of "host:port,host:port" is localhost, 127.0.0.0/8 or ::1.
[[nodiscard]] bool OnlyLoopback(std::string_view brokers);

}  // namespace countersign::kafka
