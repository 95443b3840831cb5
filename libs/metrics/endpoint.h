#pragma once
#include <functional>
#include <optional>
#include <string>

#include "libs/endpoint/server.h"
#include "libs/metrics/registry.h"

namespace countersign::metrics {

// Empty when healthy, else what is wrong in a few words (no secrets: it is shown to any caller).
using Health = std::function<std::string()>;

// HTTP/1.1 listener with GET /metrics and GET /healthz (200 "ok", 503 and the cause), on one thread
// of its own. Health is asked on that thread and must not block. (prometheus-cpp's own exposer
// serves no /healthz and takes 2 s to stop.)
class Endpoint {
 public:
  // `listen` is "127.0.0.1:9464" or "[::1]:0"; port 0 takes a free one. Throws std::runtime_error
  // if it cannot listen. The registry must outlive it.
  Endpoint(const std::string& listen, const Registry& registry, Health health);

  // "127.0.0.1:9464" with the real port.
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  std::string address_;
  std::optional<endpoint::Server> server_;
};

}  // namespace countersign::metrics
