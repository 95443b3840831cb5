#pragma once
// Time as values. Instant is for facts (UTC, microseconds, as PostgreSQL keeps them); waits use
// std::chrono::steady_clock. Whether something has expired is decided by database time, not here.
#include <chrono>
#include <string>

namespace countersign {

using Instant = std::chrono::sys_time<std::chrono::microseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant Now() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant Now() const override;
};

// RFC 3339 in UTC with microseconds: 2026-01-02T03:04:05.000006Z.
[[nodiscard]] std::string ToRfc3339(Instant instant);

}  // namespace countersign
