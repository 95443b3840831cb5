#include "tools/countersignctl/begin_message.h"

namespace countersign::ctl {

std::optional<Instant> CommitTime(const Bytes& message) {
  constexpr std::size_t kTimeAt = 9;
  constexpr std::size_t kTimeEnd = kTimeAt + 8;
  if (message.size() < kTimeEnd || message[0] != 'B') return std::nullopt;
  std::uint64_t micros = 0;
  for (std::size_t i = kTimeAt; i < kTimeEnd; ++i) micros = micros << 8U | message[i];
  constexpr auto kPostgresEpoch = std::chrono::sys_days(std::chrono::year(2000) / 1 / 1);
  return Instant(kPostgresEpoch) + std::chrono::microseconds(static_cast<std::int64_t>(micros));
}

}  // namespace countersign::ctl
