#pragma once
// The point after which a caller no longer wants an answer. Steady time: a jump of the host's clock
// does not move it.
#include <chrono>

namespace countersign {

using Deadline = std::chrono::steady_clock::time_point;

// Negative once the deadline has passed.
[[nodiscard]] inline std::chrono::milliseconds TimeLeft(Deadline deadline) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(deadline -
                                                               std::chrono::steady_clock::now());
}

}  // namespace countersign
