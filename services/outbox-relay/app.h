#pragma once
#include <optional>
#include <thread>

#include "libs/core/clock.h"
#include "libs/process/process.h"
#include "services/outbox-relay/admin.h"
#include "services/outbox-relay/canary.h"
#include "services/outbox-relay/config.h"
#include "services/outbox-relay/observer.h"
#include "services/outbox-relay/relay.h"

namespace countersign::relay {

// The process: members in start order, destruction is the stop order.
class App {
 public:
  // Throws config::Fault for what only an operator can mend.
  App(const Config& config, process::Process& process);

 private:
  SystemClock clock_;
  Observer observer_;
  Relay relay_;
  std::optional<Admin> admin_;
  std::optional<Canary> canary_;
  std::jthread thread_;
};

}  // namespace countersign::relay
