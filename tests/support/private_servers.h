#pragma once
// A PostgreSQL or Kafka of its own for a test that stops and starts it. They end with the test,
// however that ends. Making one takes seconds: one for a test suite.
#include <sys/types.h>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace countersign::support {

class PrivateServers {
 public:
  // `parts`: "postgres", "kafka" or both, comma separated. `settings`: of their configuration
  // files, "kafka.advertised.listeners=…". Throws std::runtime_error.
  explicit PrivateServers(const std::string& parts, const std::vector<std::string>& settings = {});
  ~PrivateServers();
  PrivateServers(const PrivateServers&) = delete;
  PrivateServers& operator=(const PrivateServers&) = delete;

  // COUNTERSIGN_TEST_DATABASE or COUNTERSIGN_TEST_KAFKA of these servers.
  [[nodiscard]] const std::string& Value(const std::string& name) const { return values_.at(name); }

  // Return when it is done; a started server serves. Throw std::runtime_error.
  void Stop(const std::string& part) { Command("stop " + part); }
  void Kill(const std::string& part) { Command("kill " + part); }
  void Start(const std::string& part) { Command("start " + part); }

 private:
  void Command(const std::string& command);
  [[nodiscard]] std::string ReadLine();

  pid_t keeper_ = -1;
  std::FILE* to_keeper_ = nullptr;
  std::FILE* from_keeper_ = nullptr;
  std::map<std::string, std::string> values_;
};

}  // namespace countersign::support
