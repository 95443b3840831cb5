#include "libs/endpoint/local_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>

#include "libs/endpoint/server.h"

namespace countersign::endpoint {
namespace {

using ::testing::HasSubstr;

class LocalListenerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = std::filesystem::temp_directory_path() / "socket.XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    path_ = folder_ / "admin.sock";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] static sockaddr_un AddressOf(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
  }
  // What a process that was killed leaves behind.
  void LeaveStale() const {
    const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = AddressOf(path_);
    ASSERT_EQ(bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  // The whole answer, empty if nobody answers.
  [[nodiscard]] std::string Ask(const std::string& request) const {
    const Descriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = AddressOf(path_);
    if (connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      return {};
    }
    (void)send(client.get(), request.data(), request.size(), MSG_NOSIGNAL);
    std::string answer;
    std::array<char, 512> part{};
    for (ssize_t got = 0; (got = recv(client.get(), part.data(), part.size(), 0)) > 0;) {
      answer.append(part.data(), static_cast<std::size_t>(got));
    }
    return answer;
  }
  [[nodiscard]] std::string WhyRefused(const std::string& path) const {
    try {
      const LocalListener listener(path);
      return "not refused";
    } catch (const std::runtime_error& fault) {
      return fault.what();
    }
  }
  [[nodiscard]] static Answer Echo(const Request& request) {
    return {.body = std::string(request.method) + " " + std::string(request.path)};
  }

  std::filesystem::path folder_;
  std::filesystem::path path_;
};

TEST_F(LocalListenerTest, AnswersItsOwnUserAndIsClosedToAllOthers) {
  LocalListener listener(path_);
  const Server server(listener.TakeSocket(), Echo, Peers::kOwnUser);
  EXPECT_THAT(Ask("POST /pause?x HTTP/1.1\r\n\r\n"), HasSubstr("\r\n\r\nPOST /pause"));
  struct stat made {};
  ASSERT_EQ(stat(path_.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777U, 0600U);
}

TEST_F(LocalListenerTest, WhatIsNoRequestIsTheHandlersToRefuse) {
  LocalListener listener(path_);
  const Server server(listener.TakeSocket(), Echo);
  EXPECT_THAT(Ask("{}\r\n\r\n"), ::testing::EndsWith("\r\n\r\n{} "));
}

TEST_F(LocalListenerTest, TheFileGoesWithTheListener) {
  { const LocalListener listener(path_); }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(LocalListenerTest, WhatAKilledProcessLeftIsReplaced) {
  LeaveStale();
  LocalListener listener(path_);
  const Server server(listener.TakeSocket(), Echo);
  EXPECT_THAT(Ask("GET /status HTTP/1.1\r\n\r\n"), HasSubstr("GET /status"));
}

TEST_F(LocalListenerTest, ASocketThatAnswersIsNotTakenAway) {
  LocalListener first(path_);
  const Server server(first.TakeSocket(), Echo);
  EXPECT_THAT(WhyRefused(path_), HasSubstr("another process answers there"));
  EXPECT_THAT(Ask("GET /status HTTP/1.1\r\n\r\n"), HasSubstr("GET /status"));
}

TEST_F(LocalListenerTest, AFileThatIsNoSocketIsLeftAlone) {
  std::ofstream(path_) << "precious";
  EXPECT_THAT(WhyRefused(path_), HasSubstr("no socket is there"));
  EXPECT_EQ(std::filesystem::file_size(path_), 8U);
}

TEST_F(LocalListenerTest, ASuccessorsSocketIsLeftAlone) {
  auto first = std::make_optional<LocalListener>(path_);
  std::filesystem::remove(path_);
  const LocalListener second(path_);
  first.reset();
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(LocalListenerTest, APathThatNoAddressHoldsIsRefused) {
  EXPECT_THAT(WhyRefused("/" + std::string(kLongestSocketPath, 'x')), HasSubstr("longer than 107"));
  EXPECT_THAT(WhyRefused(folder_ / "nowhere" / "s"), HasSubstr("No such file"));
}

}  // namespace
}  // namespace countersign::endpoint
