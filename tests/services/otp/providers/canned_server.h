#pragma once
// Answers every request with the same status and body: what a faithful fake never says.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <thread>

namespace countersign::otp::providers {

class CannedServer {
 public:
  CannedServer(int status, const std::string& body)
      : answer_("HTTP/1.1 " + std::to_string(status) + " Canned\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body),
        listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_, any, size) != 0 || listen(listener_, 16) != 0 ||
        getsockname(listener_, any, &size) != 0) {
      throw std::runtime_error("canned server: cannot listen");
    }
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::jthread([this] { Serve(); });
  }
  ~CannedServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  CannedServer(const CannedServer&) = delete;
  CannedServer& operator=(const CannedServer&) = delete;

  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  void Serve() const {
    for (int peer = accept(listener_, nullptr, nullptr); peer >= 0;
         peer = accept(listener_, nullptr, nullptr)) {
      ReadRequest(peer);
      [[maybe_unused]] const auto written = write(peer, answer_.data(), answer_.size());
      close(peer);
    }
  }

  // All of it, else closing would reset the connection before the answer was read.
  static void ReadRequest(int peer) {
    constexpr std::string_view kLength = "Content-Length: ";
    std::string text;
    std::size_t whole = std::string::npos;
    char buffer[4096];
    while (text.size() < whole) {
      const auto count = read(peer, buffer, sizeof(buffer));
      if (count <= 0) return;
      text.append(buffer, static_cast<std::size_t>(count));
      const auto end = text.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      const auto length = text.find(kLength);
      whole = end + 4 + (length < end ? std::stoul(text.substr(length + kLength.size())) : 0);
    }
  }

  std::string answer_;
  std::string url_;
  int listener_;
  std::jthread thread_;
};

}  // namespace countersign::otp::providers
