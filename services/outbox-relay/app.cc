#include "services/outbox-relay/app.h"

#include "libs/config/load.h"
#include "libs/kafka/config.h"

namespace countersign::relay {
namespace {

RelaySettings Settings(const Config& config, const log::Logger& logger) {
  RelaySettings settings = ToSettings(config);
  settings.kafka.client.log = kafka::LogTo(logger);
  return settings;
}

// A fault that a restart would not mend ends the start with exit code 78.
void CheckCredentials(Relay& relay) {
  try {
    relay.CheckCredentials();
  } catch (const pg::ReplicationRefused& fault) {
    throw config::Fault(std::string("database: ") + fault.what());
  } catch (const kafka::SettingsFault& fault) {
    throw config::Fault(fault.what());
  } catch (const kafka::Fault& fault) {
    throw config::Fault(std::string("kafka: ") + fault.what());
  }
}

}  // namespace

App::App(const Config& config, process::Process& process)
    : observer_(process.metrics(), clock_),
      relay_(Settings(config, process.logger()), process.logger(), observer_) {
  CheckCredentials(relay_);
  const auto settings = ToSettings(config);
  if (!config.admin_socket.empty()) {
    admin_.emplace(AdminSettings{.socket = config.admin_socket,
                                 .database = settings.database,
                                 .source = settings.source,
                                 .slot = settings.slot},
                   relay_.control(), observer_, process.logger());
  }
  canary_.emplace(CanarySettings{.interval = config.canary_interval,
                                 .topic = config.canary_topic,
                                 .database = settings.database,
                                 .cluster = settings.kafka.client,
                                 .slot = settings.slot},
                  relay_.control(), process.metrics(), process.logger());
  process.OnHealth("relay", [this] { return observer_.Health(); });
  thread_ = std::jthread([this, &process](const std::stop_token& stop) {
    try {
      relay_.Run(stop);
    } catch (const std::exception& fault) {
      process.Fail(fault.what());
    }
  });
  process.OnStop("relay", [this](Deadline) {
    thread_.request_stop();
    thread_.join();
  });
}

}  // namespace countersign::relay
