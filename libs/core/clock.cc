#include "libs/core/clock.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace countersign {

Instant SystemClock::Now() const {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

std::string ToRfc3339(Instant instant) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(instant);
  const auto micros = (instant - seconds).count();
  const std::time_t unix_time = seconds.time_since_epoch().count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(unix_time), micros);
}

}  // namespace countersign
