#pragma once
// HTTP/1.1 requests to other people's services, many in flight on one thread, each with a deadline.
//
// libcurl repeats a POST by itself when a reused connection dies before the first byte of the
// answer (7.88: up to five times), and may then report "could not connect". Both are fatal for a
// request that costs money or reaches a person. So every request that is not a GET may leave only
// once here, and the outcome says whether it may have left: libcurl's code does not.
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "libs/core/deadline.h"
#include "libs/core/secret.h"

namespace countersign::http {

enum class Method { kGet, kPost };

struct Header {
  std::string name;
  std::string value;
};

struct BasicCredentials {
  std::string user;
  Secret<std::string> password;
};

struct Request {
  Method method = Method::kGet;
  std::string url;
  std::vector<Header> headers{};            // traceparent among them, if there is one
  Secret<std::string> body{};               // POST only
  std::optional<BasicCredentials> basic{};  // sent at once, without waiting for a 401
  std::chrono::milliseconds delay{0};       // leaves no earlier; counts as under way meanwhile
};

struct Response {
  int status = 0;
  std::vector<Header> headers{};
  std::string body{};
};

enum class Failure {
  kNone,
  kConnect,     // no address, no route, refused
  kTls,         // the peer's certificate or the handshake
  kTimeout,     // the deadline
  kBroken,      // the connection ended, or what came is not HTTP
  kTooLarge,    // the answer is larger than Settings::max_body
  kOverloaded,  // Settings::max_in_flight requests are under way
  kStopped,     // the client is being destroyed
};

struct Outcome {
  std::optional<Response> response{};  // any status; absent on failure
  // False exactly if the request was never handed to a connection: only then may it be repeated
  // without asking whether it took effect.
  bool maybe_sent = false;
  Failure failure = Failure::kNone;
  std::string detail{};  // for our log; no URL, header or body
  std::chrono::microseconds duration{0};
};

struct Settings {
  std::size_t max_in_flight = 256;  // also the number of connections
  std::chrono::milliseconds connect_timeout{3000};
  std::size_t max_body = 256 * 1024;
  // An idle connection is not used again after this: shorter than what servers keep, since a
  // request that meets a closing connection ends in doubt.
  std::chrono::seconds max_idle{20};
  std::string user_agent = "countersign";
  std::string ca_file{};  // PEM; empty for the system's
  std::string proxy{};    // URL; empty for none. The environment's proxy variables are ignored
};

// Called once, on the client's thread or, for a refusal, before Send returns. Must not block or
// throw.
using Done = std::function<void(Outcome)>;

// The first value of a header, by name without regard to case; empty if there is none.
[[nodiscard]] std::string_view FindHeader(const Response& response, std::string_view name);

// Thread safe. Redirects are not followed. The destructor answers what is under way with kStopped.
class Client {
 public:
  explicit Client(Settings settings);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Send(Request request, Deadline deadline, Done done);
  // The same and waits for it. Never from a completion.
  [[nodiscard]] Outcome SendAndWait(Request request, Deadline deadline);

  [[nodiscard]] std::size_t InFlight() const { return in_flight_.load(); }

 private:
  class Loop;
  struct Waiting {
    Request request;
    Deadline deadline;
    Done done;
  };

  Settings settings_;
  std::atomic<std::size_t> in_flight_{0};
  std::mutex mutex_;
  std::deque<Waiting> waiting_;  // guarded by mutex_; bounded by max_in_flight
  std::unique_ptr<Loop> loop_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace countersign::http
