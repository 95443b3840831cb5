#include "libs/metrics/endpoint.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>

namespace countersign::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Client {
 public:
  explicit Client(const Endpoint& endpoint) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const std::string& address = endpoint.address();
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  }
  ~Client() { close(fd_); }
  void Send(const std::string& text) const {
    EXPECT_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // Everything until the server closes.
  [[nodiscard]] std::string Receive() const {
    std::string answer;
    std::array<char, 4096> part{};
    for (ssize_t got = 0; (got = recv(fd_, part.data(), part.size(), 0)) > 0;) {
      answer.append(part.data(), static_cast<std::size_t>(got));
    }
    return answer;
  }

 private:
  int fd_;
};

std::string Ask(const Endpoint& endpoint, const std::string& request) {
  const Client client(endpoint);
  client.Send(request);
  return client.Receive();
}

std::string Get(const Endpoint& endpoint, const std::string& path) {
  return Ask(endpoint, "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

TEST(Endpoint, ServesMetricsOnAFreePort) {
  Registry registry;
  registry.AddCounter("calls_total", "Calls.").Increment();
  const Endpoint endpoint("127.0.0.1:0", registry, nullptr);
  const std::string answer = Get(endpoint, "/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(answer, HasSubstr("calls_total 1"));
}

TEST(Endpoint, HealthFollowsTheProcess) {
  const Registry registry;
  std::string fault;
  const Endpoint endpoint("127.0.0.1:0", registry, [&] { return fault; });
  EXPECT_THAT(Get(endpoint, "/healthz"), StartsWith("HTTP/1.1 200 OK"));
  fault = "database: away";
  EXPECT_THAT(Get(endpoint, "/healthz"), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(Get(endpoint, "/healthz"), HasSubstr("database: away"));
}

TEST(Endpoint, ShowsNothingElse) {
  const Registry registry;
  const Endpoint endpoint("127.0.0.1:0", registry, nullptr);
  EXPECT_THAT(Get(endpoint, "/"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Get(endpoint, "/etc/passwd"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Ask(endpoint, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"),
              StartsWith("HTTP/1.1 405 "));
}

TEST(Endpoint, AFaultInACollectorIsNoCrash) {
  Registry registry;
  registry.AddGaugeFunction("bad", "Throws.", {},
                            []() -> double { throw std::runtime_error("x"); });
  const Endpoint endpoint("127.0.0.1:0", registry, nullptr);
  EXPECT_THAT(Get(endpoint, "/metrics"), StartsWith("HTTP/1.1 503 "));
}

TEST(Endpoint, ASilentClientKeepsNobodyFromTheAnswer) {
  const Registry registry;
  const Endpoint endpoint("127.0.0.1:0", registry, nullptr);
  const Client silent(endpoint);
  const Client slow(endpoint);
  slow.Send("GET /metr");
  EXPECT_THAT(Get(endpoint, "/healthz"), StartsWith("HTTP/1.1 200 OK"));
}

TEST(Endpoint, CutsARequestWithoutAnEnd) {
  const Registry registry;
  const Endpoint endpoint("127.0.0.1:0", registry, nullptr);
  EXPECT_EQ(Ask(endpoint, "GET /" + std::string(5000, 'a')), "");
}

TEST(Endpoint, SaysSoWhenThePortIsTaken) {
  const Registry registry;
  const Endpoint first("127.0.0.1:0", registry, nullptr);
  EXPECT_THROW(Endpoint(first.address(), registry, nullptr), std::runtime_error);
}

}  // namespace
}  // namespace countersign::metrics
