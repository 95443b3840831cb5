#include "libs/process/process.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

namespace countersign::process {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct Config {
  Settings process{.metrics_listen = "127.0.0.1:0"};
};
void Bind(Config& config, config::Keys& keys) { process::Bind(config.process, keys); }

// Whether anybody listens at 127.0.0.1:port.
bool Answers(const std::string& address) {
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  peer.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const bool answers = connect(fd, reinterpret_cast<sockaddr*>(&peer), sizeof(peer)) == 0;
  close(fd);
  return answers;
}

// What the App of a test does when constructed, set before the fork.
std::function<void(Process&)> on_start;

class App {
 public:
  App(const Config& /*config*/, Process& process) : process_(process) {
    if (on_start) on_start(process);
  }
  ~App() {
    process_.logger().Info("app gone", {{"scrapable", Answers(process_.metrics_address())}});
  }
  App(const App&) = delete;
  App& operator=(const App&) = delete;

 private:
  Process& process_;
};

// Main in a process of its own.
class Child {
 public:
  explicit Child(std::function<void(Process&)> start, std::vector<std::string> arguments = {}) {
    on_start = std::move(start);
    std::array<int, 2> pipe_fds{};
    EXPECT_EQ(pipe(pipe_fds.data()), 0);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(pipe_fds[1], STDERR_FILENO);
      dup2(pipe_fds[1], STDOUT_FILENO);
      arguments.insert(arguments.begin(), "countersign-sample");
      std::vector<char*> argv;
      argv.reserve(arguments.size());
      for (std::string& argument : arguments) argv.push_back(argument.data());
      const int code = Main<Config, App>(
          {.name = "countersign-sample", .purpose = "A sample.", .env_prefix = "SAMPLE"},
          static_cast<int>(argv.size()), argv.data());
      std::fflush(nullptr);
      _exit(code);
    }
    close(pipe_fds[1]);
    output_fd_ = pipe_fds[0];
  }
  ~Child() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(output_fd_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void Signal(int number) const { kill(pid_, number); }

  void WaitForLine(const std::string& text) {
    std::array<char, 4096> part{};
    while (output_.find(text) == std::string::npos) {
      const ssize_t got = read(output_fd_, part.data(), part.size());
      ASSERT_GT(got, 0) << "the child ended without " << text << ": " << output_;
      output_.append(part.data(), static_cast<std::size_t>(got));
    }
  }

  // The exit code, with 1000 for a signal.
  int End() {
    std::array<char, 4096> part{};
    for (ssize_t got = 0; (got = read(output_fd_, part.data(), part.size())) > 0;) {
      output_.append(part.data(), static_cast<std::size_t>(got));
    }
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
  [[nodiscard]] const std::string& output() const { return output_; }

 private:
  pid_t pid_ = -1;
  int output_fd_ = -1;
  std::string output_;
};

std::string Yaml(const std::string& text) {
  const std::string path = ::testing::TempDir() + "process_test." + std::to_string(getpid());
  std::ofstream(path) << text;
  return path;
}

// The answer to GET /healthz of a process, asked from inside it.
std::string AskHealth(const std::string& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  const std::string request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0 &&
      send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
    std::array<char, 4096> part{};
    for (ssize_t got = 0; (got = recv(fd, part.data(), part.size(), 0)) > 0;) {
      answer.append(part.data(), static_cast<std::size_t>(got));
    }
  }
  close(fd);
  return answer;
}

TEST(Process, IsNotHealthyBeforeItServesNorWhileItStops) {
  Child child([](Process& process) {
    process.OnHealth("queue", [] { return std::string(); });
    process.logger().Info("at start", {{"answer", AskHealth(process.metrics_address())}});
    process.OnStop("queue", [&process](Deadline) {
      process.logger().Info("at stop", {{"answer", AskHealth(process.metrics_address())}});
    });
    std::thread([&process] {
      while (AskHealth(process.metrics_address()).find("200 OK") == std::string::npos) {
        std::this_thread::yield();
      }
      process.logger().Info("serves");
    }).detach();
  });
  child.WaitForLine("serves");
  child.Signal(SIGTERM);
  EXPECT_EQ(child.End(), 0);
  EXPECT_THAT(child.output(), ::testing::ContainsRegex("at start.*503.*starting"));
  EXPECT_THAT(child.output(), ::testing::ContainsRegex("at stop.*503.*stopping"));
}

TEST(Process, StopsInOrderOnSigtermAndExitsWithZero) {
  Child child([](Process& process) {
    process.OnStop("first", [](Deadline deadline) { EXPECT_GT(TimeLeft(deadline).count(), 9000); });
    process.OnStop("second", [](Deadline) {});
  });
  child.WaitForLine("\"ready\"");
  child.Signal(SIGTERM);
  EXPECT_EQ(child.End(), 0);
  const std::string& text = child.output();
  EXPECT_LT(text.find("first"), text.find("second"));
  EXPECT_LT(text.find("second"), text.find("app gone"));
}

// A scrape would read gauges whose owners are going.
TEST(Process, NobodyScrapesWhatIsBeingDestroyed) {
  Child child([](Process& process) {
    if (!Answers(process.metrics_address())) process.logger().Error("no metrics");
    process.OnStop("all", [&process](Deadline) {
      if (!Answers(process.metrics_address())) process.logger().Error("no metrics");
    });
  });
  child.WaitForLine("\"ready\"");
  child.Signal(SIGTERM);
  EXPECT_EQ(child.End(), 0);
  EXPECT_THAT(child.output(), HasSubstr("\"scrapable\":false"));
  EXPECT_THAT(child.output(), ::testing::Not(HasSubstr("no metrics")));
}

TEST(Process, ASignalDuringTheStartIsNotLost) {
  Child child([](Process&) {
    kill(getpid(), SIGTERM);
    std::this_thread::sleep_for(milliseconds(20));
  });
  EXPECT_EQ(child.End(), 0);
}

TEST(Process, ASecondSignalExitsAtOnce) {
  Child child([](Process& process) {
    process.OnStop("slow", [](Deadline) { std::this_thread::sleep_for(std::chrono::minutes(1)); });
  });
  child.WaitForLine("\"ready\"");
  child.Signal(SIGTERM);
  child.WaitForLine("stopping");
  child.Signal(SIGINT);
  EXPECT_EQ(child.End(), 128 + SIGINT);
}

TEST(Process, AStopBeyondItsBudgetIsCutOff) {
  Child child(
      [](Process& process) {
        process.OnStop("stuck",
                       [](Deadline) { std::this_thread::sleep_for(std::chrono::minutes(1)); });
      },
      {"--config", Yaml("stop_budget: 300ms\n")});
  child.WaitForLine("\"ready\"");
  child.Signal(SIGTERM);
  child.WaitForLine("stopping");
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(child.End(), 1);
  EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(5000));
  EXPECT_THAT(child.output(), HasSubstr("longer than its budget"));
}

TEST(Process, FailStopsInOrderAndExitsWithOne) {
  Child child([](Process& process) {
    process.OnStop("server", [](Deadline) {});
    process.Fail("the slot is gone");
    process.Fail("a consequence");
  });
  EXPECT_EQ(child.End(), 1);
  EXPECT_THAT(child.output(), AllOf(HasSubstr("the slot is gone"), HasSubstr("app gone")));
  EXPECT_THAT(child.output(), ::testing::Not(HasSubstr("a consequence")));
}

TEST(Process, AFaultyConfigurationExitsWith78AndAFaultyStartWithOne) {
  Child fault([](Process&) { throw config::Fault("wrong password"); });
  EXPECT_EQ(fault.End(), config::kExitConfig);
  EXPECT_THAT(fault.output(), HasSubstr("wrong password"));
  Child other([](Process&) { throw std::runtime_error("database away"); });
  EXPECT_EQ(other.End(), 1);
}

TEST(Process, AnswersOptionsWithoutStarting) {
  Child child([](Process&) { throw std::logic_error("started"); }, {"--version"});
  EXPECT_EQ(child.End(), 0);
  EXPECT_THAT(child.output(), HasSubstr("countersign-sample 0."));
}

TEST(Process, ABrokenPipeIsNoEnd) {
  Child child([](Process& process) {
    raise(SIGPIPE);
    process.Fail("still here");
  });
  EXPECT_EQ(child.End(), 1);
}

}  // namespace
}  // namespace countersign::process
