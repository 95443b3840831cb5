#include "tools/countersignctl/relay_process.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "tools/countersignctl/command.h"

namespace countersign::ctl {
namespace {

constexpr std::size_t kMaxAnswer = 64 * 1024;
// It asks the database when a drain begins.
constexpr timeval kAnswerTime{.tv_sec = 10, .tv_usec = 0};

std::string WhyAway(int error) {
  switch (error) {
    case ENOENT:
      return "there is no such file; does a relay with this admin.socket run on this host?";
    case ECONNREFUSED:
      return "nobody listens; a relay that was killed left the file";
    case EACCES:
    case EPERM:
      return "not allowed; only the relay's own user and root may";
    default:
      return std::strerror(error);
  }
}

class Connection {
 public:
  explicit Connection(const std::string& path)
      : descriptor_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
      close(descriptor_);
      throw UsageFault("--socket: the path is too long for a socket");
    }
    path.copy(address.sun_path, path.size());
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &kAnswerTime, sizeof kAnswerTime);
    setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &kAnswerTime, sizeof kAnswerTime);
    if (connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      const int error = errno;
      close(descriptor_);
      throw RelayAway(fmt::format("no relay answers at {}: {}", path, WhyAway(error)));
    }
  }
  ~Connection() { close(descriptor_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The answer, as far as it came.
  [[nodiscard]] std::string Exchange(const std::string& request) const {
    std::string answer;
    if (send(descriptor_, request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size())) {
      return answer;
    }
    std::array<char, 4096> part{};
    while (answer.size() < kMaxAnswer) {
      const auto count = recv(descriptor_, part.data(), part.size(), 0);
      if (count < 0 && errno == EINTR) continue;  // a Ctrl-C that is only noted
      if (count <= 0) break;
      answer.append(part.data(), static_cast<std::size_t>(count));
    }
    return answer;
  }

 private:
  int descriptor_;
};

}  // namespace

nlohmann::json RelayProcess::Ask(const std::string& method, const std::string& path) const {
  const auto answer = Connection(socket_).Exchange(
      fmt::format("{} {} HTTP/1.1\r\nHost: relay\r\nContent-Length: 0\r\n\r\n", method, path));
  const auto body = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.1 ") || body == std::string::npos) {
    throw RelayAway(fmt::format("the relay at {} gave no answer; is it of another user?", socket_));
  }
  auto json = nlohmann::json::parse(answer.substr(body + 4), nullptr, false);
  if (!json.is_object()) {
    throw Failure(fmt::format("what answers at {} is no relay of this version", socket_));
  }
  if (const auto error = json.find("error"); error != json.end() && error->is_string()) {
    throw Failure(error->get<std::string>());
  }
  if (!answer.starts_with("HTTP/1.1 200 ")) {
    throw Failure(fmt::format("what answers at {} is no relay of this version", socket_));
  }
  return json;
}

}  // namespace countersign::ctl
