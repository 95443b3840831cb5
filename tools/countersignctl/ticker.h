#pragma once
#include <chrono>

namespace countersign::ctl {

// Says when it is time for another line of progress.
class Ticker {
 public:
  [[nodiscard]] bool Due() {
    const auto now = std::chrono::steady_clock::now();
    if (now - told_ < kInterval) return false;
    told_ = now;
    return true;
  }

 private:
  static constexpr std::chrono::seconds kInterval{1};
  std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
};

}  // namespace countersign::ctl
