#pragma once
// The sockets of the fake: one thread, one coroutine a connection, keep-alive, HTTP/1.1.
#include <cstdint>
#include <memory>
#include <string>

#include "tests/fakes/twilio/service.h"

namespace countersign::twilio_fake {

class Server {
 public:
  // Listens from here on; throws std::system_error. Only loopback addresses are taken
  // (std::invalid_argument). Port 0 picks a free one.
  Server(const std::string& host, std::uint16_t port);
  ~Server();

  [[nodiscard]] std::uint16_t port() const;
  // Serves until Stop.
  void Run(Service& service);
  // From any thread, also before Run.
  void Stop();

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace countersign::twilio_fake
