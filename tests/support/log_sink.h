#pragma once
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace countersign::tests {

// A file in memory that a log::Logger writes to.
class LogSink {
 public:
  LogSink() : fd_(memfd_create("log", MFD_CLOEXEC)) {}
  ~LogSink() { close(fd_); }
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;

  [[nodiscard]] int fd() const { return fd_; }

  [[nodiscard]] std::string Text() const {
    std::string text(static_cast<std::size_t>(lseek(fd_, 0, SEEK_END)), '\0');
    EXPECT_EQ(pread(fd_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return text;
  }

  [[nodiscard]] std::vector<nlohmann::json> Lines() const {
    std::vector<nlohmann::json> lines;
    std::istringstream stream(Text());
    for (std::string line; std::getline(stream, line);) {
      lines.push_back(nlohmann::json::parse(line));
    }
    return lines;
  }

  // The first `count` lines, waiting for them up to 5 s: lines of a call are written after its
  // answer.
  [[nodiscard]] std::vector<nlohmann::json> WaitFor(std::size_t count) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (Lines().size() < count && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    auto lines = Lines();
    EXPECT_GE(lines.size(), count);
    lines.resize(std::max(lines.size(), count));
    return lines;
  }

 private:
  int fd_;
};

}  // namespace countersign::tests
