#pragma once
#include <chrono>
#include <map>
#include <mutex>
#include <string>

#include "bench/load/histogram.h"
#include "bench/load/scenario.h"

namespace countersign::bench {

struct Plan {
  int clients = 64;                          // closed loop: operations in flight
  double rate = 0;                           // > 0: open loop, operations started per second
  std::chrono::duration<double> seconds{5};  // measured time
  std::chrono::duration<double> warm_up{1};  // not measured, before it
};

struct Report {
  Histogram latency;  // of good answers; in an open loop from the intended start
  std::uint64_t good = 0;
  std::map<std::string, std::uint64_t> refused;
  double seconds = 0;
  double cpu_seconds = 0;  // of this program: its share of the machine
};

// Runs the plan to its end and waits for every started operation. A closed loop starts the next
// operation when one ends; an open loop starts them by the clock, whatever the server does.
void Run(Scenario& scenario, const Plan& plan, Report& report);

}  // namespace countersign::bench
