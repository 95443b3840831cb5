#include "libs/core/uuid.h"

#include <algorithm>

namespace countersign {
namespace {

constexpr std::uint32_t kCounterBits = 18;
constexpr std::uint32_t kCounterLimit = 1U << kCounterBits;

}  // namespace

std::string ToString(const Uuid& uuid) {
  std::string text = ToHex(uuid.bytes);
  for (const std::size_t position : {8U, 13U, 18U, 23U}) text.insert(position, 1, '-');
  return text;
}

std::optional<Uuid> ParseUuid(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  for (const std::size_t position : {8U, 13U, 18U, 23U}) {
    if (text[position] != '-') return std::nullopt;
  }
  std::string digits(text);
  std::erase(digits, '-');
  const auto bytes = FromHex(digits);
  if (!bytes || bytes->size() != 16) return std::nullopt;
  Uuid uuid;
  std::ranges::copy(*bytes, uuid.bytes.begin());
  return uuid;
}

Uuid RandomUuid(Random& random) {
  Uuid uuid;
  random.Fill(uuid.bytes);
  uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0FU) | 0x40U);
  uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3FU) | 0x80U);
  return uuid;
}

Uuid UuidV7::Next() {
  Uuid uuid;
  random_.Fill(uuid.bytes);
  std::int64_t ms = 0;
  std::uint32_t counter = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto now =
        std::chrono::floor<std::chrono::milliseconds>(clock_.Now()).time_since_epoch().count();
    if (now > last_ms_) {
      last_ms_ = now;
      // Start in the lower half so that a burst in one millisecond has room to count.
      counter_ = random_.Below(kCounterLimit / 2);
    } else if (++counter_ == kCounterLimit) {
      ++last_ms_;
      counter_ = 0;
    }
    ms = last_ms_;
    counter = counter_;
  }
  for (std::size_t i = 0; i < 6; ++i) {
    uuid.bytes[i] = static_cast<std::uint8_t>(ms >> (8 * (5 - i)));
  }
  uuid.bytes[6] = static_cast<std::uint8_t>(0x70U | (counter >> 14U));
  uuid.bytes[7] = static_cast<std::uint8_t>(counter >> 6U);
  uuid.bytes[8] = static_cast<std::uint8_t>(0x80U | (counter & 0x3FU));
  return uuid;
}

}  // namespace countersign
