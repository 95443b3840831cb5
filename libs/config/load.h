#pragma once
// Fills a service's configuration and answers the options every binary has: --config FILE,
// --strict, --check-config, --print-config-keys, --help, --version.
#include <functional>
#include <optional>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "libs/config/keys.h"

namespace countersign::config {

// sysexits.h EX_CONFIG: a supervisor need not restart what cannot start.
inline constexpr int kExitConfig = 78;

struct Program {
  std::string name;          // "countersign-auth"
  std::string purpose{};     // one line for --help
  std::string env_prefix{};  // "AUTH"
};

// Looks a variable of the environment up; empty optional if it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
[[nodiscard]] Environment ProcessEnvironment();

struct Streams {
  std::ostream& out;
  std::ostream& err;
};

// Empty: the struct is filled, start. Else the exit code: 0 for --help, --version, --check-config
// and --print-config-keys, 64 for a wrong option, 78 for a wrong configuration. All faults are
// reported together, each as file:line: key: what, to `streams.err`.
[[nodiscard]] std::optional<int> Load(const Program& program, Keys& keys,
                                      std::span<const std::string> arguments,
                                      const Environment& environment, const Streams& streams);

// Thrown by the construction of a service for what only a try can tell (wrong credentials, a key
// directory that anyone may read): the process logs it and exits with 78.
class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace countersign::config
