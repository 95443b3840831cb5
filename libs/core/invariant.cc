#include "libs/core/invariant.h"

#include <fmt/core.h>

#include <cstdlib>

namespace countersign {

void Invariant(bool holds, std::string_view why, const char* file, int line) {
  if (holds) return;
  fmt::print(stderr, "invariant broken at {}:{}: {}\n", file, line, why);
  std::abort();
}

}  // namespace countersign
