#include "libs/endpoint/server.h"

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

namespace countersign::endpoint {
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

std::string Page(const Answer& answer) {
  std::string text = "HTTP/1.1 ";
  text.append(answer.status).append("\r\nContent-Type: ").append(answer.type);
  text.append("; charset=utf-8\r\nCache-Control: no-store\r\nConnection: close");
  text.append("\r\nContent-Length: ").append(std::to_string(answer.body.size()));
  return text.append("\r\n\r\n").append(answer.body);
}

// The first line's first two words.
Request ReadRequest(std::string_view text) {
  const std::string_view line = text.substr(0, text.find("\r\n"));
  const auto space = line.find(' ');
  if (space == std::string_view::npos) return {.method = line, .path = {}};
  const std::string_view path = line.substr(space + 1, line.find(' ', space + 1) - space - 1);
  return {.method = line.substr(0, space), .path = path.substr(0, path.find('?'))};
}

bool IsOwnUser(int socket) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return false;
  return peer.uid == geteuid() || peer.uid == 0;
}

}  // namespace

class Server::Loop {
 public:
  Loop(Descriptor listener, Handler handler, Peers peers)
      : listener_(std::move(listener)),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        handler_(std::move(handler)),
        peers_(peers) {}

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
    Descriptor socket(fd);
    if (peers_ == Peers::kOwnUser && !IsOwnUser(fd)) return;
    connections_.push_back({std::move(socket), std::chrono::steady_clock::now() + kTimePerRequest});
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

  // A handler that throws must not take the process down with it.
  [[nodiscard]] std::string AnswerOrExcuse(std::string_view request) const {
    try {
      return Page(handler_(ReadRequest(request)));
    } catch (const std::exception&) {
      return Page({.status = "503 Service Unavailable", .body = "cannot be told\n"});
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
  const Handler handler_;
  const Peers peers_;
  std::vector<Connection> connections_;
};

Server::Server(Descriptor listener, Handler handler, Peers peers)
    : loop_(std::make_unique<Loop>(std::move(listener), std::move(handler), peers)),
      thread_([this](const std::stop_token& stop) { loop_->Run(stop); }) {}

Server::~Server() {
  thread_.request_stop();
  thread_.join();
}

}  // namespace countersign::endpoint
