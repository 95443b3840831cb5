#pragma once
// What every service process has: log, metrics with /healthz, signals and an orderly stop. main.cc
// is one line:
//
//   return countersign::process::Main<auth::Config, auth::App>(
//       {.name = "countersign-auth", .purpose = "…", .env_prefix = "AUTH"}, argc, argv);
//
// Config has a member `process` of type Settings, and its namespace a function
// Bind(Config&, config::Keys&) that calls process::Bind(config.process, keys). App is constructed
// from (const Config&, Process&) and is complete, and serving, when its constructor returns.
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/config/load.h"
#include "libs/core/deadline.h"
#include "libs/log/logger.h"
#include "libs/metrics/registry.h"

namespace countersign::process {

struct Settings {
  log::Level log_level = log::Level::kInfo;
  std::string metrics_listen = "127.0.0.1:9464";  // a service sets its own default port
  std::chrono::milliseconds stop_budget{10'000};
};
void Bind(Settings& settings, config::Keys& keys);

class Process {
 public:
  // Blocks SIGTERM and SIGINT in this thread and all made after it, ignores SIGPIPE: construct it
  // before any other thread. Throws std::runtime_error if the metrics address cannot be bound.
  Process(std::string service, const Settings& settings);
  // Ends the watch over the stop budget.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] const log::Logger& logger() const;
  [[nodiscard]] metrics::Registry& metrics();
  [[nodiscard]] std::string metrics_address() const;

  // Called on the main thread after the first signal, in the order added, each with the time by
  // which all must be over. What is not stopped here ends with the members of App, in reverse.
  void OnStop(std::string what, std::function<void(Deadline)> stop);
  // Asked by /healthz; empty when well, else the cause. Before Wait the answer is "starting", after
  // a signal "stopping". Must not block. Thread safe. Neither this nor a gauge is asked once the
  // last stop is over.
  void OnHealth(std::string what, std::function<std::string()> health);
  // Something the process cannot live without has ended: stop in order, exit with 1. Thread safe;
  // the first cause wins.
  void Fail(const std::string& why);

  // Waits for a signal or Fail, then stops. The exit code: 0 after a signal, 1 after Fail. A second
  // signal exits at once with 128 + its number, and an overrun of the budget, the time until this
  // object's destruction included, with 1.
  [[nodiscard]] int Wait();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// config::Load, or the exit code; arguments without the program's name.
[[nodiscard]] std::optional<int> LoadFromCommandLine(const config::Program& program,
                                                     config::Keys& keys, int argc, char** argv);
// "countersign-auth" -> "auth", the name in logs.
[[nodiscard]] std::string ServiceName(const config::Program& program);
// Logs why the start failed; 78 for a config::Fault, else 1.
[[nodiscard]] int StartFailed(const std::string& service, const std::exception& fault);

template <typename Config, typename App>
int Main(const config::Program& program, int argc, char** argv) {
  Config config;
  config::Keys keys(program.env_prefix);
  Bind(config, keys);
  if (const auto exit = LoadFromCommandLine(program, keys, argc, argv)) return *exit;
  try {
    Process process(ServiceName(program), config.process);
    App app(config, process);
    return process.Wait();
  } catch (const std::exception& fault) {
    return StartFailed(ServiceName(program), fault);
  }
}

}  // namespace countersign::process
