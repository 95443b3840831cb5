#include "bench/load/driver.h"

#include <sys/resource.h>

#include <atomic>
#include <condition_variable>
#include <thread>

namespace countersign::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class LoadRun {
 public:
  LoadRun(Scenario& scenario, Report& report) : scenario_(scenario), report_(report) {}

  void Start(SteadyClock::time_point intended, bool again) {
    in_flight_.fetch_add(1);
    scenario_.Issue(sequence_.fetch_add(1), [this, intended, again](const std::string& outcome) {
      Finish(intended, outcome);
      if (again && !stopping_.load(std::memory_order_relaxed)) Start(SteadyClock::now(), true);
      if (in_flight_.fetch_sub(1) == 1) {
        const std::lock_guard lock(mutex_);
        idle_.notify_all();
      }
    });
  }

  void Measure(bool on) { measuring_.store(on); }
  void Stop() {
    stopping_.store(true);
    std::unique_lock lock(mutex_);
    idle_.wait_for(lock, std::chrono::seconds(15), [this] { return in_flight_.load() == 0; });
  }

 private:
  void Finish(SteadyClock::time_point intended, const std::string& outcome) {
    if (!measuring_.load(std::memory_order_relaxed)) return;
    if (outcome.empty()) {
      const auto took = SteadyClock::now() - intended;
      report_.latency.Record(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
      return;
    }
    const std::lock_guard lock(mutex_);
    ++report_.refused[outcome];
  }

  Scenario& scenario_;
  Report& report_;
  std::atomic<std::uint64_t> sequence_{0};
  std::atomic<std::uint64_t> in_flight_{0};
  std::atomic<bool> measuring_{false};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable idle_;
};

void StartByTheClock(LoadRun& run, double rate, SteadyClock::time_point from,
                     SteadyClock::time_point until) {
  const auto gap = std::chrono::duration<double>(1.0 / rate);
  for (std::uint64_t i = 0;; ++i) {
    const auto when =
        from + std::chrono::duration_cast<SteadyClock::duration>(gap * static_cast<double>(i));
    if (when >= until) return;
    std::this_thread::sleep_until(when);
    run.Start(when, false);
  }
}

}  // namespace

void Run(Scenario& scenario, const Plan& plan, Report& report) {
  LoadRun run(scenario, report);
  const auto span = [](std::chrono::duration<double> seconds) {
    return std::chrono::duration_cast<SteadyClock::duration>(seconds);
  };
  const auto begin = SteadyClock::now();
  if (plan.rate > 0) {
    StartByTheClock(run, plan.rate, begin, begin + span(plan.warm_up));
  } else {
    for (int i = 0; i < plan.clients; ++i) run.Start(SteadyClock::now(), true);
    std::this_thread::sleep_for(plan.warm_up);
  }
  const double cpu_before = CpuSeconds();
  const auto measured_from = SteadyClock::now();
  run.Measure(true);
  if (plan.rate > 0) {
    StartByTheClock(run, plan.rate, measured_from, measured_from + span(plan.seconds));
  } else {
    std::this_thread::sleep_for(plan.seconds);
    run.Measure(false);
  }
  report.seconds = std::chrono::duration<double>(SteadyClock::now() - measured_from).count();
  report.cpu_seconds = CpuSeconds() - cpu_before;
  run.Stop();
  report.good = report.latency.Count();
}

}  // namespace countersign::bench
