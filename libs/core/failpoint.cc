#include "libs/core/failpoint.h"

#ifdef COUNTERSIGN_FAILPOINTS

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string>

namespace countersign {
namespace {

struct Armed {
  std::string name;
  int pass = 1;
};

Armed ReadArmed() {
  const char* setting = std::getenv("COUNTERSIGN_FAILPOINT");
  if (setting == nullptr) return {};
  const std::string_view text = setting;
  const auto colon = text.find(':');
  Armed armed{.name = std::string(text.substr(0, colon))};
  if (colon != std::string_view::npos) {
    const auto digits = text.substr(colon + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), armed.pass);
  }
  return armed;
}

}  // namespace

void Failpoint(std::string_view name) {
  static const Armed armed = ReadArmed();
  static std::atomic<int> passes{0};
  if (armed.name != name) return;
  if (passes.fetch_add(1) + 1 == armed.pass) std::raise(SIGKILL);
}

}  // namespace countersign

#endif
