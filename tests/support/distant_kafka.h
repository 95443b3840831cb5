#pragma once
// A Kafka of its own, reached over a stretch of network that a test can cut. Takes seconds to make:
// one for a test suite.
#include <string>

#include "libs/kafka/settings.h"
#include "tests/support/kafka.h"
#include "tests/support/private_servers.h"
#include "tests/support/tcp_proxy.h"

namespace countersign::support {

class DistantKafka {
 public:
  DistantKafka()
      : brokers_("127.0.0.1:" + std::to_string(network_.port())),
        servers_("kafka", {"kafka.advertised.listeners=BROKER://" + brokers_}) {
    const std::string& address = servers_.Value("COUNTERSIGN_TEST_KAFKA");
    const auto port = std::stoul(address.substr(address.rfind(':') + 1));
    network_.Aim(static_cast<std::uint16_t>(port));
  }

  [[nodiscard]] kafka::ClientSettings Cluster() const { return ClusterAt(brokers_); }
  [[nodiscard]] TcpProxy& network() { return network_; }

 private:
  TcpProxy network_;  // first, since the broker must know its port
  std::string brokers_;
  PrivateServers servers_;
};

}  // namespace countersign::support
