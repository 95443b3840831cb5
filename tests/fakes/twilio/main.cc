#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <thread>

#include "tests/fakes/twilio/options.h"
#include "tests/fakes/twilio/server.h"

namespace countersign::twilio_fake {
namespace {

// A connection for every call in flight.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Written beside and renamed, so that a reader never sees half of it.
void WritePort(const std::string& file, std::uint16_t port) {
  if (file.empty()) return;
  std::ofstream(file + ".new") << port << '\n';
  if (std::rename((file + ".new").c_str(), file.c_str()) != 0) {
    throw std::runtime_error("cannot write " + file);
  }
}

int Run(Options options) {
  RaiseDescriptorLimit();
  sigset_t stop_signals{};
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGINT);
  sigaddset(&stop_signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);
  Server server(options.host, options.port);
  auto& verify = options.service.verify;
  verify.base_url = "http://" + options.host + ":" + std::to_string(server.port());
  std::cerr << "twilio-fake: NOT Twilio. Nothing is sent to anybody; codes are shown to whoever "
               "asks.\ntwilio-fake: listening on "
            << verify.base_url << std::endl;
  const std::string port_file = options.port_file;
  Service service(std::move(options.service));
  WritePort(port_file, server.port());
  std::jthread thread([&] { server.Run(service); });
  int signal = 0;
  sigwait(&stop_signals, &signal);
  server.Stop();
  return 0;
}

}  // namespace
}  // namespace countersign::twilio_fake

int main(int argc, char** argv) {
  using namespace countersign::twilio_fake;  // NOLINT(google-build-using-namespace): main only
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    Options options = ParseOptions(arguments);
    if (options.help) {
      std::cout << HelpText();
      return 0;
    }
    return Run(std::move(options));
  } catch (const std::exception& fault) {
    std::cerr << "twilio-fake: " << fault.what() << '\n';
    return 64;
  }
}
