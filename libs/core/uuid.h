#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "libs/core/clock.h"
#include "libs/core/hex.h"
#include "libs/core/random.h"

namespace countersign {

// 128 bits in network order, of whatever version.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Uuid&) const = default;
};

// Canonical lower-case text, 36 characters (RFC 9562 section 4).
[[nodiscard]] std::string ToString(const Uuid& uuid);
// Empty for anything but the canonical form (either case).
[[nodiscard]] std::optional<Uuid> ParseUuid(std::string_view text);
// 122 random bits, version 4.
[[nodiscard]] Uuid RandomUuid(Random& random);

// Ids that sort by the time they were made (RFC 9562 section 5.7, method 1: a counter of 18 bits in
// rand_a and the top of rand_b). Thread safe. Never goes back: if the clock does, the last time is
// kept and the counter runs on.
class UuidV7 {
 public:
  UuidV7(const Clock& clock, Random& random) : clock_(clock), random_(random) {}
  [[nodiscard]] Uuid Next();

 private:
  const Clock& clock_;
  Random& random_;
  std::mutex mutex_;
  std::int64_t last_ms_ = 0;
  std::uint32_t counter_ = 0;
};

// A typed id: swapping a UserId for a SessionId does not compile.
template <typename Tag>
struct Id {
  Uuid value;
  auto operator<=>(const Id&) const = default;
};
template <typename Tag>
[[nodiscard]] std::string ToString(const Id<Tag>& id) {
  return ToString(id.value);
}

}  // namespace countersign
