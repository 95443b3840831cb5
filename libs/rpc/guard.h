#pragma once
#include <chrono>

#include "libs/core/random.h"
#include "libs/log/logger.h"
#include "libs/metrics/registry.h"

namespace countersign::rpc {

// What holds for every call of a listener.
struct GuardSettings {
  std::chrono::milliseconds deadline{10'000};  // for calls without one, and the cap for the others
  bool log_requests = true;                    // one line per finished request
};

// What all methods of a process share on their way in and out. Thread safe.
//   rpc_requests_total{rpc,code,reason}, rpc_seconds{rpc}, rpc_in_flight
class Guard {
 public:
  Guard(const GuardSettings& settings, const log::Logger& logger, metrics::Registry& metrics,
        Random& random)
      : settings_(settings), logger_(logger), metrics_(metrics), random_(random) {}

  [[nodiscard]] const GuardSettings& settings() const { return settings_; }
  [[nodiscard]] const log::Logger& logger() const { return logger_; }
  [[nodiscard]] metrics::Registry& metrics() { return metrics_; }
  [[nodiscard]] Random& random() { return random_; }

 private:
  GuardSettings settings_;
  const log::Logger& logger_;
  metrics::Registry& metrics_;
  Random& random_;
};

}  // namespace countersign::rpc
