#pragma once
// W3C Trace Context, header `traceparent` (level 1, section 3.2): the ids that tie the lines of one
// request together across processes.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libs/core/random.h"

namespace countersign {

struct Traceparent {
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{};
  std::uint8_t flags = 0;  // bit 0: sampled
  bool operator==(const Traceparent&) const = default;
};

// Strict: lower-case hexadecimal, no all-zero id, version 00 of exactly 55 characters; a higher
// version may be longer if a dash follows. Empty for anything else, version ff included.
[[nodiscard]] std::optional<Traceparent> ParseTraceparent(std::string_view header);
// "00-<32 hex>-<16 hex>-<2 hex>".
[[nodiscard]] std::string ToString(const Traceparent& trace);
// The 32 hexadecimal characters that a log line shows.
[[nodiscard]] std::string TraceIdText(const Traceparent& trace);
// A new trace, sampled.
[[nodiscard]] Traceparent NewTrace(Random& random);
// The same trace with a span id of our own.
[[nodiscard]] Traceparent ChildOf(const Traceparent& parent, Random& random);

}  // namespace countersign
