#pragma once
// How often a number may be sent a code. The row auth.numbers is the limit; the values here are
// what the statement decides with (store/sql/send_code.sql).
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace countersign::auth {

struct SendLimit {
  // The wait after the 1st, 2nd, … send in a row; the last one stays. A right code, or a new day,
  // begins a new row.
  std::vector<std::chrono::seconds> cooldowns{std::chrono::seconds(30), std::chrono::minutes(1),
                                              std::chrono::minutes(2),  std::chrono::minutes(5),
                                              std::chrono::minutes(15), std::chrono::minutes(30)};
  int per_hour = 5;  // from the first send of the hour
  int per_day = 10;  // from the first send of the day
};

// What keeps the limit from being one; empty if it is sound.
[[nodiscard]] std::string WhyUnsound(const SendLimit& limit);
// For the statement's parameter.
[[nodiscard]] std::vector<std::int64_t> CooldownSeconds(const SendLimit& limit);
// The wait after the n-th send in a row, n from 1.
[[nodiscard]] std::chrono::seconds CooldownAfter(const SendLimit& limit, int sends_in_a_row);

}  // namespace countersign::auth
