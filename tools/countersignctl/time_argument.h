#pragma once
// Times as an operator writes them, and as records have them.
#include <optional>
#include <string_view>

#include "libs/core/clock.h"
#include "tools/countersignctl/arguments.h"

namespace countersign::ctl {

// RFC 3339 in UTC, with up to six digits behind the second: 2026-01-02T03:04:05.6Z. Empty for
// anything else.
[[nodiscard]] std::optional<Instant> ParseRfc3339(std::string_view text);

// RFC 3339 in UTC, or a duration ("15m", "2h", "7d"): so long before `now`. Empty if the option was
// not given. Throws UsageFault.
[[nodiscard]] std::optional<Instant> TimeOption(const Arguments& arguments, std::string_view option,
                                                Instant now);

}  // namespace countersign::ctl
