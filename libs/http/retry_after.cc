#include "libs/http/retry_after.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <string>

namespace countersign::http {

std::optional<std::chrono::milliseconds> ParseRetryAfter(std::string_view value, Instant now,
                                                         std::chrono::milliseconds most) {
  using std::chrono::milliseconds;
  if (value.empty()) return std::nullopt;
  if (std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; })) {
    std::int64_t seconds = 0;
    const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    // Too many digits: longer than any limit.
    if (fault != std::errc{} || seconds > most.count() / 1000) return most;
    return milliseconds(seconds * 1000);
  }
  std::tm parts{};
  const std::string text(value);
  const char* const end = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  const Instant then = std::chrono::time_point_cast<std::chrono::microseconds>(
      std::chrono::system_clock::from_time_t(timegm(&parts)));
  return std::clamp(std::chrono::ceil<milliseconds>(then - now), milliseconds(0), most);
}

}  // namespace countersign::http
