#include "tests/support/private_servers.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

namespace countersign::support {
namespace {

// Tests run in the source folder.
constexpr char kPython[] = ".run/toolchain/python/bin/python";

std::array<int, 2> Pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe2");
  }
  return ends;
}

pid_t StartKeeper(std::vector<std::string> words, int input, int output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t keeper = -1;
  const int code = posix_spawn(&keeper, kPython, &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) throw std::system_error(code, std::generic_category(), kPython);
  return keeper;
}

}  // namespace

PrivateServers::PrivateServers(const std::string& parts, const std::vector<std::string>& settings) {
  std::vector<std::string> words = {kPython, "-m", "tests.support.private_servers", parts};
  words.insert(words.end(), settings.begin(), settings.end());
  const auto commands = Pipe();
  const auto answers = Pipe();
  keeper_ = StartKeeper(std::move(words), commands[0], answers[1]);
  close(commands[0]);
  close(answers[1]);
  to_keeper_ = fdopen(commands[1], "w");
  from_keeper_ = fdopen(answers[0], "r");
  std::istringstream answer(ReadLine());
  for (std::string word; std::getline(answer, word, '\t');) {
    const auto equals = word.find('=');
    if (equals != std::string::npos) values_[word.substr(0, equals)] = word.substr(equals + 1);
  }
  if (values_.empty()) throw std::runtime_error("no private " + parts + " could be started");
}

// The end of its input ends the keeper.
PrivateServers::~PrivateServers() {
  std::fclose(to_keeper_);
  waitpid(keeper_, nullptr, 0);
  std::fclose(from_keeper_);
}

void PrivateServers::Command(const std::string& command) {
  std::fputs((command + "\n").c_str(), to_keeper_);
  std::fflush(to_keeper_);
  if (ReadLine() != "done") throw std::runtime_error(command + " failed");
}

// Empty at the end.
std::string PrivateServers::ReadLine() {
  std::string line;
  for (int c = std::fgetc(from_keeper_); c != EOF && c != '\n'; c = std::fgetc(from_keeper_)) {
    line += static_cast<char>(c);
  }
  return line;
}

}  // namespace countersign::support
