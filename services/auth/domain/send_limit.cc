#include "services/auth/domain/send_limit.h"

#include <algorithm>

namespace countersign::auth {
namespace {

constexpr std::size_t kMaxSteps = 32;
constexpr std::chrono::seconds kMaxCooldown{std::chrono::hours(24)};

}  // namespace

std::string WhyUnsound(const SendLimit& limit) {
  const auto& steps = limit.cooldowns;
  if (steps.empty() || steps.size() > kMaxSteps) return "1 to 32 cooldowns are needed";
  if (!std::is_sorted(steps.begin(), steps.end())) return "cooldowns must not shrink";
  if (steps.front() < std::chrono::seconds(1) || steps.back() > kMaxCooldown)
    return "cooldowns lie between 1 s and 24 h";
  if (limit.per_hour < 1 || limit.per_day < limit.per_hour)
    return "at least one send an hour, and no fewer a day than an hour";
  return {};
}

std::vector<std::int64_t> CooldownSeconds(const SendLimit& limit) {
  std::vector<std::int64_t> seconds;
  seconds.reserve(limit.cooldowns.size());
  for (const auto step : limit.cooldowns) seconds.push_back(step.count());
  return seconds;
}

std::chrono::seconds CooldownAfter(const SendLimit& limit, int sends_in_a_row) {
  const auto last = static_cast<int>(limit.cooldowns.size()) - 1;
  return limit.cooldowns[static_cast<std::size_t>(std::clamp(sends_in_a_row - 1, 0, last))];
}

}  // namespace countersign::auth
