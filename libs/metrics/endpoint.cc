#include "libs/metrics/endpoint.h"

#include <utility>

#include "libs/endpoint/listener.h"

namespace countersign::metrics {
namespace {

endpoint::Answer Tell(const endpoint::Request& request, const Registry& registry,
                      const Health& health) {
  if (request.method != "GET") return {.status = "405 Method Not Allowed", .body = "GET only\n"};
  if (request.path == "/metrics") {
    return {.type = "text/plain; version=0.0.4", .body = registry.Text()};
  }
  if (request.path != "/healthz") {
    return {.status = "404 Not Found", .body = "/metrics or /healthz\n"};
  }
  const std::string fault = health ? health() : std::string();
  if (fault.empty()) return {.body = "ok\n"};
  return {.status = "503 Service Unavailable", .body = fault + "\n"};
}

}  // namespace

Endpoint::Endpoint(const std::string& listen, const Registry& registry, Health health) {
  auto listener = endpoint::Listen(listen);
  address_ = listener.address;
  server_.emplace(std::move(listener.socket),
                  [&registry, health = std::move(health)](const endpoint::Request& request) {
                    return Tell(request, registry, health);
                  });
}

}  // namespace countersign::metrics
