#include "tests/support/tcp_proxy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <vector>

namespace countersign::support {
namespace {

// How long a change of Hang may go unnoticed.
constexpr int kTickMs = 20;

int Checked(int result, const char* doing) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), doing);
  return result;
}

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int Socket() { return Checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"); }

void SendAtOnce(int descriptor) {
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

TcpProxy::TcpProxy(std::uint16_t target) : target_(target) {
  listener_ = Socket();
  auto address = Loopback(0);
  socklen_t size = sizeof address;
  Checked(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), "bind");
  Checked(listen(listener_, 128), "listen");
  Checked(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  port_ = ntohs(address.sin_port);
  wake_ = Checked(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

TcpProxy::~TcpProxy() {
  thread_.request_stop();
  Wake();
  thread_.join();
  Cut();
  close(listener_);
  close(wake_);
}

void TcpProxy::Wake() const {
  const std::uint64_t one = 1;
  (void)!write(wake_, &one, sizeof one);
}

void TcpProxy::Cut() {
  const std::lock_guard lock(mutex_);
  for (const Pair& pair : pairs_) Reset(pair);
  pairs_.clear();
  Wake();
}

void TcpProxy::Refuse(bool refuse) {
  refuse_ = refuse;
  if (refuse) Cut();
}

// With a linger of nothing, close() sends RST.
void TcpProxy::Reset(const Pair& pair) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  for (const int descriptor : {pair.client, pair.server}) {
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(descriptor);
  }
}

void TcpProxy::Accept() {
  Pair pair{.client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC), .server = Socket()};
  if (pair.client < 0) {
    close(pair.server);
    return;
  }
  auto address = Loopback(target_);
  const bool connected =
      !refuse_ && connect(pair.server, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  if (!connected) return Reset(pair);
  SendAtOnce(pair.client);
  SendAtOnce(pair.server);
  pairs_.push_back(pair);
}

TcpProxy::Fate TcpProxy::Pass(int from, int to, std::string& waiting, std::atomic<bool>* lose) {
  if (waiting.empty()) {
    std::array<char, 64 * 1024> buffer;
    const auto count = recv(from, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count == 0) return Fate::kEnded;
    if (count < 0) return errno == EAGAIN ? Fate::kOpen : Fate::kReset;
    if (lose != nullptr && lose->exchange(false)) return Fate::kReset;
    waiting.assign(buffer.data(), static_cast<std::size_t>(count));
  }
  // A reader that takes nothing must not keep the other direction waiting.
  const auto sent = send(to, waiting.data(), waiting.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return errno == EAGAIN ? Fate::kOpen : Fate::kReset;
  waiting.erase(0, static_cast<std::size_t>(sent));
  return Fate::kOpen;
}

TcpProxy::Fate TcpProxy::Forward(Pair& pair) {
  const Fate fate = Pass(pair.client, pair.server, pair.to_server, nullptr);
  if (fate != Fate::kOpen) return fate;
  return Pass(pair.server, pair.client, pair.to_client, &lose_next_answer_);
}

void TcpProxy::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::vector<pollfd> watched = {{.fd = listener_, .events = POLLIN, .revents = 0},
                                   {.fd = wake_, .events = POLLIN, .revents = 0}};
    if (!hang_) {
      const std::lock_guard lock(mutex_);
      for (const Pair& pair : pairs_) {
        watched.push_back({.fd = pair.client, .events = POLLIN, .revents = 0});
        watched.push_back({.fd = pair.server, .events = POLLIN, .revents = 0});
      }
    }
    poll(watched.data(), watched.size(), kTickMs);
    std::uint64_t wakes = 0;
    (void)!read(wake_, &wakes, sizeof wakes);
    const std::lock_guard lock(mutex_);
    std::erase_if(pairs_, [this](Pair& pair) {
      const Fate fate = hang_ ? Fate::kOpen : Forward(pair);
      if (fate == Fate::kReset) Reset(pair);
      if (fate == Fate::kEnded) {
        close(pair.client);
        close(pair.server);
      }
      return fate != Fate::kOpen;
    });
    if ((watched[0].revents & POLLIN) != 0) Accept();
  }
}

}  // namespace countersign::support
