#pragma once
#include <set>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "services/otp/consumer/verification_consumer.h"
#include "tests/services/otp/flows/fixture.h"
#include "tests/support/kafka.h"

namespace countersign::otp {

// One otp process without its listener, reading a topic.
class Replica {
 public:
  Replica(const std::string& topic, const std::string& group,
          const pg::ConnectionSettings& database, Keys& keys, RecordingProvider& provider,
          const InstallationOptions& options = {}, std::size_t max_unfinished = 1024)
      : flows_(database, keys, provider, options),
        consumer_(Settings(topic, group, max_unfinished), {.flow = flows_.deliver(),
                                                           .recipient_keys = keys.recipient,
                                                           .random = keys.random,
                                                           .clock = keys.clock,
                                                           .observer = flows_.observer(),
                                                           .logger = flows_.logger()}),
        polling_([this](const std::stop_token& stop) { consumer_.Run(stop); }) {}
  ~Replica() { Stop(); }
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  // In order, as the process does.
  void Stop(std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    if (!polling_.joinable()) return;
    polling_.request_stop();
    polling_.join();
    static_cast<void>(flows_.deliver().Stop(std::chrono::steady_clock::now() + patience));
    flows_.batchers().Stop();
    consumer_.Leave();
  }
  // Without waiting for what the provider was asked.
  void Kill() { Stop(std::chrono::milliseconds(0)); }
  [[nodiscard]] Installation& flows() { return flows_; }

 private:
  static VerificationConsumerSettings Settings(const std::string& topic, const std::string& group,
                                               std::size_t max_unfinished) {
    VerificationConsumerSettings settings{
        .kafka = {}, .dead_letters = {}, .topic = topic, .max_unfinished = max_unfinished};
    settings.kafka.client = support::Cluster();
    settings.kafka.group = group;
    settings.kafka.session_timeout = std::chrono::seconds(6);
    settings.kafka.commit_interval = std::chrono::milliseconds(100);
    settings.dead_letters.client = support::Cluster();
    return settings;
  }

  Installation flows_;
  VerificationConsumer consumer_;
  std::jthread polling_;
};

template <typename Convert>
auto ReadToTheEnds(kafka::Consumer& consumer, std::size_t partitions, Convert convert) {
  std::vector<std::invoke_result_t<Convert, const kafka::Message&>> found;
  std::set<int> ended;
  EXPECT_TRUE(Eventually([&] {
    while (const auto message = consumer.Poll(std::chrono::milliseconds(10))) {
      if (message->at_end()) {
        ended.insert(message->partition());
      } else {
        found.push_back(convert(*message));
      }
    }
    return ended.size() == partitions;
  }));
  return found;
}

}  // namespace countersign::otp
