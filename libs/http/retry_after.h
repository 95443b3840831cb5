#pragma once
#include <chrono>
#include <optional>
#include <string_view>

#include "libs/core/clock.h"

namespace countersign::http {

// RFC 9110 section 10.2.3: seconds, or an HTTP-date counted from `now`. Clamped to [0, most]; empty
// for anything else, the empty text included.
[[nodiscard]] std::optional<std::chrono::milliseconds> ParseRetryAfter(
    std::string_view value, Instant now, std::chrono::milliseconds most);

}  // namespace countersign::http
