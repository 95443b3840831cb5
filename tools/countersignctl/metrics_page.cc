#include "tools/countersignctl/metrics_page.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <memory>

namespace countersign::ctl {
namespace {

constexpr std::size_t kMaxPage = 4 * 1024 * 1024;

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

// A connected TCP socket whose every wait ends after a second, or none.
class Socket {
 public:
  Socket(const std::string& host, const std::string& port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return;
    const Addresses addresses(found, freeaddrinfo);
    descriptor_ = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor_ < 0) return;
    const timeval limit{.tv_sec = 1, .tv_usec = 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);  // of connect too
    connected_ = connect(descriptor_, found->ai_addr, found->ai_addrlen) == 0;
  }
  ~Socket() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  [[nodiscard]] bool Send(std::string_view text) const {
    return connected_ && send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL) ==
                             static_cast<ssize_t>(text.size());
  }
  [[nodiscard]] std::string ReceiveAll(std::size_t limit) const {
    std::string all;
    std::array<char, 16384> buffer{};
    while (all.size() < limit) {
      const auto count = recv(descriptor_, buffer.data(), buffer.size(), 0);
      if (count <= 0) break;
      all.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return all;
  }

 private:
  int descriptor_ = -1;
  bool connected_ = false;
};

}  // namespace

std::optional<double> ReadMetric(const std::string& address, std::string_view name) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  const Socket socket(address.substr(0, colon), address.substr(colon + 1));
  if (!socket.Send(fmt::format("GET /metrics HTTP/1.0\r\nHost: {}\r\n\r\n", address))) {
    return std::nullopt;
  }
  return FindMetric(socket.ReceiveAll(kMaxPage), name);
}

std::optional<double> FindMetric(std::string_view page, std::string_view name) {
  while (!page.empty()) {
    const std::string_view line = page.substr(0, page.find('\n'));
    page.remove_prefix(std::min(page.size(), line.size() + 1));
    if (!line.starts_with(name) || line.size() <= name.size() + 1 || line[name.size()] != ' ') {
      continue;
    }
    const std::string_view text = line.substr(name.size() + 1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc()) return value;
  }
  return std::nullopt;
}

}  // namespace countersign::ctl
