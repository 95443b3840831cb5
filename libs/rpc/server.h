#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/config/keys.h"
#include "libs/core/deadline.h"
#include "libs/rpc/guard.h"
#include "libs/rpc/service.h"

namespace countersign::rpc {

// Where to listen, whom to admit, and how much of one caller to bear.
struct ServerSettings {
  std::string listen = "127.0.0.1:50051";  // "host:port", "[::1]:0"; port 0 takes a free one
  // PEM files, re-read every minute without a restart. Without a certificate the listener is
  // plaintext, which is refused off loopback.
  std::string tls_certificate{};
  std::string tls_key{};
  std::string tls_client_ca{};                  // who signs client certificates
  std::string tls_client_certificate = "none";  // none, optional or required
  bool reflection = false;
  config::Size max_request{64 * 1024};
  config::Size max_metadata{8 * 1024};
  int max_streams = 0;  // calls at once per connection; 0: 1024 on loopback, else 100
  std::chrono::milliseconds max_connection_idle{5 * 60'000};
  std::chrono::milliseconds max_connection_age{30 * 60'000};
  std::chrono::milliseconds max_connection_age_grace{30'000};
  GuardSettings guard{};
};
// Keys `<section>.listen`, `<section>.tls.certificate`, … with the struct's values as defaults.
void Bind(ServerSettings& settings, const std::string& section, config::Keys& keys);

// True for 127.0.0.0/8, ::1, localhost and unix sockets, port or none.
[[nodiscard]] bool IsLoopback(std::string_view address);

// A listener with its services, health (grpc.health.v1) and, if wanted, reflection. Serving when
// constructed.
class Server {
 public:
  // Throws config::Fault for plaintext off loopback, unreadable PEM files or an address that cannot
  // be bound; std::logic_error for a service with a method missing. Services must outlive it.
  Server(const ServerSettings& settings, const std::vector<Service*>& services);
  // Stops at once if Stop was not called.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // "127.0.0.1:50051" with the real port.
  [[nodiscard]] const std::string& address() const;
  [[nodiscard]] int port() const;

  // Health says NOT_SERVING, new calls are refused (UNAVAILABLE; CANCELLED by the transport if they
  // were on the way), accepted ones are waited for until the deadline and then cancelled. What
  // answers them must still be running. Idempotent.
  void Stop(Deadline deadline);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace countersign::rpc
