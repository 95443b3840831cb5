#include <array>
#include <charconv>
#include <limits>
#include <string>

#include "libs/config/keys.h"

namespace countersign::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr std::array kDurations = {Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000},
                                   Unit{"h", 3'600'000}, Unit{"d", 86'400'000}};
constexpr std::array kSizes = {Unit{"B", 1}, Unit{"KiB", 1024}, Unit{"MiB", 1024 * 1024},
                               Unit{"GiB", 1024 * 1024 * 1024}};

// A whole number directly followed by one of the units.
template <std::size_t Count>
Result<std::int64_t> Parse(std::string_view text, const std::array<Unit, Count>& units,
                           std::string_view expected) {
  const auto refuse = [&] {
    return Fail(reasons::kFieldInvalid, {.detail = std::string(expected)});
  };
  std::int64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || number < 0) return refuse();
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& one : units) {
    if (unit != one.name) continue;
    if (number > std::numeric_limits<std::int64_t>::max() / one.factor) return refuse();
    return number * one.factor;
  }
  return refuse();
}

template <std::size_t Count>
std::string Render(std::int64_t number, const std::array<Unit, Count>& units) {
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    if (number != 0 && number % unit.factor == 0) best = &unit;
  }
  return std::to_string(number / best->factor).append(best->name);
}

}  // namespace

Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  const auto parsed = Parse(text, kDurations, "a whole number with ms, s, m, h or d is expected");
  if (!parsed) return Fail(parsed.error());
  return std::chrono::milliseconds(*parsed);
}

std::string ToText(std::chrono::milliseconds duration) {
  return Render(duration.count(), kDurations);
}

Result<Size> ParseSize(std::string_view text) {
  const auto parsed = Parse(text, kSizes, "a whole number with B, KiB, MiB or GiB is expected");
  if (!parsed) return Fail(parsed.error());
  return Size{static_cast<std::uint64_t>(*parsed)};
}

std::string ToText(Size size) { return Render(static_cast<std::int64_t>(size.bytes), kSizes); }

}  // namespace countersign::config
