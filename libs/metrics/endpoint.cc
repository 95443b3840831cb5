#include "libs/metrics/endpoint.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/metrics/listener.h"

namespace countersign::metrics {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::size_t kMaxConnections = 32;
constexpr std::size_t kMaxRequestBytes = 4096;
constexpr std::chrono::seconds kTimePerRequest{5};

struct Connection {
  Descriptor socket;
  SteadyTime end;
  std::string in{};
  std::string out{};
  std::size_t sent = 0;
  bool finished = false;
};

std::string Page(std::string_view status, std::string_view type, std::string_view body) {
  std::string text = "HTTP/1.1 ";
  text.append(status).append("\r\nContent-Type: ").append(type);
  text.append("; charset=utf-8\r\nCache-Control: no-store\r\nConnection: close");
  text.append("\r\nContent-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
  return text.append(body);
}

std::string Answer(std::string_view request, const Registry& registry, const Health& health) {
  constexpr std::string_view kPlain = "text/plain";
  const std::string_view line = request.substr(0, request.find("\r\n"));
  if (!line.starts_with("GET ")) return Page("405 Method Not Allowed", kPlain, "GET only\n");
  std::string_view path = line.substr(4, line.find(' ', 4) - 4);
  path = path.substr(0, path.find('?'));
  if (path == "/metrics") return Page("200 OK", "text/plain; version=0.0.4", registry.Text());
  if (path != "/healthz") return Page("404 Not Found", kPlain, "/metrics or /healthz\n");
  const std::string fault = health ? health() : std::string();
  if (fault.empty()) return Page("200 OK", kPlain, "ok\n");
  return Page("503 Service Unavailable", kPlain, fault + "\n");
}

}  // namespace

class Endpoint::Loop {
 public:
  Loop(Descriptor listener, const Registry& registry, Health health)
      : listener_(std::move(listener)),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        registry_(registry),
        health_(std::move(health)) {}

  void Run(const std::stop_token& stop) {
    const std::stop_callback waker(stop, [this] {
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof(one));
    });
    std::vector<pollfd> polled;
    while (!stop.stop_requested()) {
      polled.assign({{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}});
      if (connections_.size() >= kMaxConnections) polled[1].events = 0;
      for (const Connection& connection : connections_) {
        const short wanted = connection.out.empty() ? POLLIN : POLLOUT;
        polled.push_back({connection.socket.get(), wanted, 0});
      }
      poll(polled.data(), polled.size(), connections_.empty() ? -1 : 100);
      Advance(polled);
      if ((polled[1].revents & POLLIN) != 0) Accept();
    }
  }

 private:
  void Advance(const std::vector<pollfd>& polled) {
    const auto now = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      Connection& connection = connections_[i];
      if (polled[i + 2].revents != 0) {
        connection.out.empty() ? Receive(connection) : Send(connection);
      }
      if (now >= connection.end) connection.finished = true;
    }
    std::erase_if(connections_, [](const Connection& one) { return one.finished; });
  }

  void Accept() {
    const int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    connections_.push_back({Descriptor(fd), std::chrono::steady_clock::now() + kTimePerRequest});
  }

  void Receive(Connection& connection) {
    std::array<char, kMaxRequestBytes> part{};
    const ssize_t got = recv(connection.socket.get(), part.data(), part.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      connection.finished = true;
      return;
    }
    connection.in.append(part.data(), static_cast<std::size_t>(got));
    if (connection.in.size() > kMaxRequestBytes) {
      connection.finished = true;
    } else if (connection.in.find("\r\n\r\n") != std::string::npos) {
      connection.out = AnswerOrExcuse(connection.in);
      Send(connection);
    }
  }

  // A collector or health check that throws must not take the process down with it.
  std::string AnswerOrExcuse(std::string_view request) const {
    try {
      return Answer(request, registry_, health_);
    } catch (const std::exception&) {
      return Page("503 Service Unavailable", "text/plain", "cannot be told\n");
    }
  }

  static void Send(Connection& connection) {
    const ssize_t sent = send(connection.socket.get(), connection.out.data() + connection.sent,
                              connection.out.size() - connection.sent, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (sent > 0) connection.sent += static_cast<std::size_t>(sent);
    if (sent <= 0 || connection.sent == connection.out.size()) connection.finished = true;
  }

  Descriptor listener_;
  Descriptor wake_;
  const Registry& registry_;
  Health health_;
  std::vector<Connection> connections_;
};

Endpoint::Endpoint(const std::string& listen, const Registry& registry, Health health) {
  Listener listener = Listen(listen);
  address_ = listener.address;
  loop_ = std::make_unique<Loop>(std::move(listener.socket), registry, std::move(health));
  thread_ = std::jthread([this](const std::stop_token& stop) { loop_->Run(stop); });
}

Endpoint::~Endpoint() {
  thread_.request_stop();
  thread_.join();
}

}  // namespace countersign::metrics
