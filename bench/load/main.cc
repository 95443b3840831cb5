// countersign-load: an asynchronous gRPC load client. Prints one JSON object.
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "bench/load/driver.h"
#include "libs/rpc/grpc_library.h"

namespace countersign::bench {
namespace {

constexpr std::string_view kUsage = R"(usage: countersign-load SCENARIO --target HOST:PORT [options]

scenarios
  signup       SignupWithPhoneNumber, a new number each time
  login        LoginWithPhoneNumber + ValidatePhoneNumberLogin pairs (code 123456)
  introspect   IntrospectToken over --tokens
  empty        grpc.health.v1.Health/Check: the price of an empty call

options
  --clients N      operations in flight (closed loop), default 64
  --rate R         start R operations a second instead (open loop)
  --seconds S      measured time, default 5
  --warm-up S      time before it, default 1
  --channels N     connections, default 4
  --first N        first number is +49151 followed by N in eight digits, default 0
  --numbers N      login: how many numbers to go round, default 100000
  --tokens FILE    introspect: one access token a line
)";

struct Options {
  std::string scenario;
  Target target;
  Plan plan;
  std::uint64_t first = 0;
  std::uint64_t numbers = 100'000;
  std::string tokens;
};

Options Parse(int argc, char** argv) {
  Options options;
  if (argc < 2) throw std::invalid_argument("name a scenario");
  options.scenario = argv[1];
  for (int i = 2; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 == argc) throw std::invalid_argument(name + " needs a value");
    const std::string value = argv[i + 1];
    if (name == "--target") {
      options.target.address = value;
    } else if (name == "--clients") {
      options.plan.clients = std::stoi(value);
    } else if (name == "--rate") {
      options.plan.rate = std::stod(value);
    } else if (name == "--seconds") {
      options.plan.seconds = std::chrono::duration<double>(std::stod(value));
    } else if (name == "--warm-up") {
      options.plan.warm_up = std::chrono::duration<double>(std::stod(value));
    } else if (name == "--channels") {
      options.target.channels = std::stoi(value);
    } else if (name == "--first") {
      options.first = std::stoull(value);
    } else if (name == "--numbers") {
      options.numbers = std::stoull(value);
    } else if (name == "--tokens") {
      options.tokens = value;
    } else {
      throw std::invalid_argument("unknown option " + name);
    }
  }
  if (options.target.address.empty()) throw std::invalid_argument("--target is needed");
  return options;
}

std::vector<std::string> ReadLines(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::invalid_argument("cannot read " + path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  if (lines.empty()) throw std::invalid_argument(path + " has no token");
  return lines;
}

std::unique_ptr<Scenario> MakeScenario(const Options& options) {
  if (options.scenario == "signup") return MakeSignup(options.target, options.first);
  if (options.scenario == "login") {
    return MakeLogin(options.target, options.first, options.numbers);
  }
  if (options.scenario == "introspect") {
    return MakeIntrospect(options.target, ReadLines(options.tokens));
  }
  if (options.scenario == "empty") return MakeEmpty(options.target);
  throw std::invalid_argument("unknown scenario " + options.scenario);
}

void Print(const Report& report) {
  nlohmann::json out = {
      {"good", report.good},
      {"per_second", static_cast<double>(report.good) / report.seconds},
      {"p50_ms", report.latency.PercentileMs(0.5)},
      {"p99_ms", report.latency.PercentileMs(0.99)},
      {"p999_ms", report.latency.PercentileMs(0.999)},
      {"seconds", report.seconds},
      {"load_client_cores", report.cpu_seconds / report.seconds},
      {"refused", report.refused},
  };
  std::cout << out.dump() << '\n';
}

}  // namespace
}  // namespace countersign::bench

int main(int argc, char** argv) {
  using namespace countersign::bench;  // NOLINT(google-build-using-namespace): this is main
  if (argc > 1 && std::string_view(argv[1]) == "--help") {
    std::cout << kUsage;
    return 0;
  }
  countersign::rpc::PrepareGrpc();
  try {
    const Options options = Parse(argc, argv);
    const auto scenario = MakeScenario(options);
    const auto report = std::make_unique<Report>();
    Run(*scenario, options.plan, *report);
    Print(*report);
    return report->good > 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "countersign-load: " << error.what() << "\n\n" << kUsage;
    return 2;
  }
}
