#pragma once
#include <algorithm>
#include <cstddef>

namespace countersign::pg {

// How many rows of a table are asked for at once, so that a page stays near kBytes whatever the
// size of the rows. The first page of a table is small, since nothing is known of it.
class PageSize {
 public:
  static constexpr std::size_t kBytes = 4 * 1024 * 1024;
  static constexpr int kFirst = 100;
  static constexpr int kMost = 1'000;

  [[nodiscard]] int next() const { return next_; }
  // What the last page held.
  void Read(std::size_t bytes, int rows) {
    if (rows == 0) return;
    const std::size_t row_bytes = std::max<std::size_t>(1, bytes / static_cast<std::size_t>(rows));
    const auto fitting = static_cast<int>(std::min<std::size_t>(kBytes / row_bytes, kMost));
    next_ = std::clamp(fitting, 1, std::min(next_ * 4, kMost));
  }

 private:
  int next_ = kFirst;
};

}  // namespace countersign::pg
