#include "libs/metrics/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>

#include "libs/core/version.h"

namespace countersign::metrics {
namespace {

double ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  double total_pages = 0;
  double resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double OpenFiles() {
  struct CloseDir {
    void operator()(DIR* dir) const { closedir(dir); }
  };
  const std::unique_ptr<DIR, CloseDir> dir(opendir("/proc/self/fd"));
  if (!dir) return 0;
  double count = -3;  // ".", ".." and the folder itself
  while (readdir(dir.get()) != nullptr) ++count;
  return count;
}

// Field 22 of /proc/self/stat (proc(5)): ticks after boot.
double StartTime() {
  std::ifstream stat("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(stat), {}};
  // The name in field 2 may hold spaces and parentheses: count from its end.
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  double ticks = 0;
  fields >> ticks;
  timespec since_boot{};
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const auto seconds = [](const timespec& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  return seconds(now) - seconds(since_boot) + ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

void AddProcessMetrics(Registry& registry) {
  registry.AddGaugeFunction("process_resident_memory_bytes", "Resident memory.", {}, ResidentBytes);
  registry.AddGaugeFunction("process_cpu_seconds_total", "User and system time spent.", {},
                            CpuSeconds);
  registry.AddGaugeFunction("process_open_fds", "Open file descriptors.", {}, OpenFiles);
  registry.AddGauge("process_start_time_seconds", "Start of the process, Unix time.")
      .Set(StartTime());
  registry
      .AddGauge("countersign_build_info", "Always 1; which build this is.",
                {{"version", std::string(Version())}, {"commit", std::string(Commit())}})
      .Set(1);
}

}  // namespace countersign::metrics
