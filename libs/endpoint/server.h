#pragma once
// A small HTTP/1.1 server for what a process tells about itself and is told by its operator: one
// thread, at most 32 connections at once, each for one request of at most 4 KiB and for 5 s, so
// that a slow or silent client keeps no other from its answer. Requests have no body.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "libs/endpoint/listener.h"

namespace countersign::endpoint {

struct Request {
  std::string_view method;
  std::string_view path;  // without what follows a question mark
};

struct Answer {
  std::string status = "200 OK";
  std::string type = "text/plain";
  std::string body;
};

// Called on the server's thread, for one request after the other. What it throws is answered with
// 503.
using Handler = std::function<Answer(const Request&)>;

enum class Peers : std::uint8_t {
  kAny,
  kOwnUser,  // of a Unix domain socket: processes of this one's user, and root
};

class Server {
 public:
  Server(Descriptor listener, Handler handler, Peers peers = Peers::kAny);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
  std::jthread thread_;
};

}  // namespace countersign::endpoint
