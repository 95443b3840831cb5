#include "libs/core/invariant.h"

#include <fmt/core.h>

#include <cstdlib>

namespace countersign {

void Invariant(bool holds, std::string_view why, std::source_location where) {
  if (holds) return;
  fmt::print(stderr, "invariant broken at {}:{}: {}\n", where.file_name(), where.line(), why);
  std::abort();
}

}  // namespace countersign
