#include "tools/countersignctl/time_argument.h"

#include <fmt/format.h>

#include <chrono>

#include "libs/config/keys.h"
#include "libs/pg/codec.h"
#include "libs/pg/errors.h"

namespace countersign::ctl {

std::optional<Instant> ParseRfc3339(std::string_view text) {
  constexpr std::size_t kDayEnd = 10;
  if (text.size() <= kDayEnd || text[kDayEnd] != 'T' || text.back() != 'Z') return std::nullopt;
  std::string as_column(text.substr(0, text.size() - 1));
  as_column[kDayEnd] = ' ';
  as_column += "+00";
  try {
    const Instant instant = pg::ParseInstant(as_column);
    // A day or an hour that does not exist would come out as another one.
    const auto round_trip = ToRfc3339(instant);
    constexpr std::size_t kSeconds = 19;
    if (round_trip.substr(0, kSeconds) != text.substr(0, kSeconds)) return std::nullopt;
    return instant;
  } catch (const pg::UnexpectedResult&) {
    return std::nullopt;
  }
}

std::optional<Instant> TimeOption(const Arguments& arguments, std::string_view option,
                                  Instant now) {
  const std::string text = arguments.Text(option);
  if (text.empty()) return std::nullopt;
  if (const auto instant = ParseRfc3339(text)) return instant;
  if (const auto ago = config::ParseDuration(text)) return now - *ago;
  throw UsageFault(fmt::format(
      "--{} must be a time like 2026-01-02T03:04:05Z, or a duration before now like 15m", option));
}

}  // namespace countersign::ctl
