#pragma once
// Named points at which the fault suites kill the process. Builds without COUNTERSIGN_FAILPOINTS
// have nothing here.
#include <string_view>

namespace countersign {

// Ends the process with SIGKILL if the environment's COUNTERSIGN_FAILPOINT is `name` or `name:n`
// (the n-th pass, from 1).
#ifdef COUNTERSIGN_FAILPOINTS
void Failpoint(std::string_view name);
#else
inline void Failpoint(std::string_view /*name*/) {}
#endif

}  // namespace countersign
