#pragma once
#include <source_location>
#include <string_view>

namespace countersign {

// Ends the process when a promise of our own code is broken: continuing would be worse. Never for
// input, other systems or anything else the world may do.
void Invariant(bool holds, std::string_view why,
               std::source_location where = std::source_location::current());

}  // namespace countersign
