#pragma once
#include <functional>
#include <string>

#include "libs/metrics/registry.h"

struct mg_connection;
struct mg_context;

namespace countersign::metrics {

// Empty when healthy, else what is wrong in a few words (no secrets: it is shown to any caller).
using Health = std::function<std::string()>;

// HTTP listener with GET /metrics and GET /healthz (200 "ok", 503 and the cause). Two threads.
// Health is asked on them and must not block.
class Endpoint {
 public:
  // `listen` is "127.0.0.1:9464" or "[::1]:0"; port 0 takes a free one. Throws std::runtime_error
  // if it cannot listen.
  Endpoint(const std::string& listen, const Registry& registry, Health health);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // "127.0.0.1:9464" with the real port.
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  static int Answer(mg_connection* connection, void* endpoint);

  const Registry& registry_;
  Health health_;
  mg_context* context_ = nullptr;
  std::string address_;
};

}  // namespace countersign::metrics
