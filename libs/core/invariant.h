#pragma once
#include <string_view>

namespace countersign {

// Ends the process when a promise of our own code is broken: continuing would be worse. Never for
// input, other systems or anything else the world may do. (std::source_location is not known to
// clang 14, which checks this code.)
void Invariant(bool holds, std::string_view why, const char* file = __builtin_FILE(),
               int line = __builtin_LINE());

}  // namespace countersign
