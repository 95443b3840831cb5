#include "libs/process/process.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <csignal>
#include <iostream>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "libs/core/version.h"
#include "libs/metrics/endpoint.h"

namespace countersign::process {
namespace {

constexpr int kExitFailed = 1;

sigset_t StopSignals() {
  sigset_t set{};
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

int BlockedSignals() {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // A peer that has gone is an error of write(), not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  const int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) throw std::runtime_error("signalfd failed");
  return fd;
}

}  // namespace

void Bind(Settings& settings, config::Keys& keys) {
  keys.Level("log.level", settings.log_level, {.help = "Least level that is written to stderr."});
  keys.Text("metrics.listen", settings.metrics_listen,
            {.help = "Address and port of /metrics and /healthz; keep it off public networks."});
  keys.Duration(
      "stop_budget", settings.stop_budget,
      {.help = "Time from SIGTERM to the end, by force if need be.", .min = "100ms", .max = "10m"});
}

struct Process::State {
  State(std::string service, const Settings& settings)
      : signals(BlockedSignals()),
        wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        logger(std::move(service), settings.log_level),
        budget(settings.stop_budget),
        endpoint(std::in_place, settings.metrics_listen, metrics, [this] { return Health(); }),
        address(endpoint->address()),
        watch([this](const std::stop_token& stop) { Watch(stop); }) {}

  ~State() {
    watch.request_stop();
    Wake();
    watch.join();
    close(signals);
    close(wake);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void Wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake, &one, sizeof(one));
  }

  // The first request counts. True if it was the first.
  bool RequestStop(const std::string& why, int code) {
    const std::scoped_lock lock(mutex);
    if (stop_by) return false;
    stop_by = std::chrono::steady_clock::now() + budget;
    exit_code = code;
    if (code == 0) {
      logger.Info("stopping", {{"cause", why}});
    } else {
      logger.Error("stopping", {{"cause", why}});
    }
    stop_wanted.notify_all();
    return true;
  }

  // Lives as long as the process does, so that neither a start nor a stop that hangs can outlast
  // the budget.
  void Watch(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::array<pollfd, 2> polled = {pollfd{signals, POLLIN, 0}, pollfd{wake, POLLIN, 0}};
      const auto deadline = StopBy();
      const int timeout =
          deadline ? static_cast<int>(std::max<std::int64_t>(TimeLeft(*deadline).count() + 1, 0))
                   : -1;
      poll(polled.data(), polled.size(), timeout);
      if ((polled[1].revents & POLLIN) != 0) {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = read(wake, &count, sizeof(count));
      }
      if ((polled[0].revents & POLLIN) != 0) TakeSignal();
      if (deadline && TimeLeft(*deadline).count() <= 0 && !stop.stop_requested()) {
        logger.Error("the stop took longer than its budget: exit at once");
        _exit(kExitFailed);
      }
    }
  }

  void TakeSignal() {
    signalfd_siginfo info{};
    if (read(signals, &info, sizeof(info)) != sizeof(info)) return;
    const int number = static_cast<int>(info.ssi_signo);
    if (RequestStop(number == SIGINT ? "SIGINT" : "SIGTERM", 0)) return;
    logger.Warn("second signal: exit at once");
    _exit(128 + number);
  }

  std::optional<Deadline> StopBy() {
    const std::scoped_lock lock(mutex);
    return stop_by;
  }

  std::string Health() {
    const std::scoped_lock lock(mutex);
    if (stop_by) return "stopping";
    if (!ready) return "starting";
    for (const auto& [what, health] : healths) {
      if (const std::string fault = health(); !fault.empty()) return what + ": " + fault;
    }
    return {};
  }

  const int signals;
  const int wake;
  const log::Logger logger;
  metrics::Registry metrics;
  const std::chrono::milliseconds budget;

  std::mutex mutex;
  std::condition_variable stop_wanted;
  bool ready = false;
  std::optional<Deadline> stop_by;
  int exit_code = 0;
  std::vector<std::pair<std::string, std::function<void(Deadline)>>> stops;
  std::vector<std::pair<std::string, std::function<std::string()>>> healths;

  std::optional<metrics::Endpoint> endpoint;
  const std::string address;
  std::jthread watch;
};

Process::Process(std::string service, const Settings& settings)
    : state_(std::make_unique<State>(std::move(service), settings)) {}

Process::~Process() = default;

const log::Logger& Process::logger() const { return state_->logger; }
metrics::Registry& Process::metrics() { return state_->metrics; }
std::string Process::metrics_address() const { return state_->address; }

void Process::OnStop(std::string what, std::function<void(Deadline)> stop) {
  const std::scoped_lock lock(state_->mutex);
  state_->stops.emplace_back(std::move(what), std::move(stop));
}

void Process::OnHealth(std::string what, std::function<std::string()> health) {
  const std::scoped_lock lock(state_->mutex);
  state_->healths.emplace_back(std::move(what), std::move(health));
}

void Process::Fail(const std::string& why) {
  state_->RequestStop(why, kExitFailed);
  state_->Wake();
}

int Process::Wait() {
  {
    const std::scoped_lock lock(state_->mutex);
    state_->ready = true;
  }
  state_->logger.Info("ready",
                      {{"version", Version()}, {"commit", Commit()}, {"metrics", state_->address}});
  std::unique_lock lock(state_->mutex);
  state_->stop_wanted.wait(lock, [&] { return state_->stop_by.has_value(); });
  const Deadline deadline = *state_->stop_by;
  int code = state_->exit_code;
  const auto stops = std::move(state_->stops);
  // Members of App go after this, and with them what the health checks look at.
  state_->healths.clear();
  lock.unlock();
  for (const auto& [what, stop] : stops) {
    try {
      stop(deadline);
      state_->logger.Info("stopped", {{"what", what}});
    } catch (const std::exception& fault) {
      state_->logger.Error("a stop failed", {{"what", what}, {"detail", fault.what()}});
      code = kExitFailed;
    }
  }
  // Likewise what the gauges look at.
  state_->endpoint.reset();
  return code;
}

std::optional<int> LoadFromCommandLine(const config::Program& program, config::Keys& keys, int argc,
                                       char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return config::Load(program, keys, arguments, config::ProcessEnvironment(),
                      {std::cout, std::cerr});
}

std::string ServiceName(const config::Program& program) {
  constexpr std::string_view kPrefix = "countersign-";
  return program.name.starts_with(kPrefix) ? program.name.substr(kPrefix.size()) : program.name;
}

int StartFailed(const std::string& service, const std::exception& fault) {
  const log::Logger logger(service, log::Level::kInfo);
  logger.Error("the start failed", {{"detail", fault.what()}});
  return dynamic_cast<const config::Fault*>(&fault) != nullptr ? config::kExitConfig : kExitFailed;
}

}  // namespace countersign::process
