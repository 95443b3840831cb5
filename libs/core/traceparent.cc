#include "libs/core/traceparent.h"

#include <algorithm>

#include "libs/core/hex.h"

namespace countersign {
namespace {

constexpr std::size_t kVersion00Length = 55;  // 2-32-16-2 with three dashes

bool IsLowerHex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

template <std::size_t Size>
bool Read(std::string_view text, std::array<std::uint8_t, Size>& out) {
  if (!IsLowerHex(text)) return false;
  const auto bytes = FromHex(text);
  if (!bytes || bytes->size() != Size) return false;
  std::ranges::copy(*bytes, out.begin());
  return true;
}

template <std::size_t Size>
bool AllZero(const std::array<std::uint8_t, Size>& bytes) {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

// An all-zero id is invalid.
template <std::size_t Size>
void Draw(Random& random, std::array<std::uint8_t, Size>& out) {
  random.Fill(out);
  if (AllZero(out)) out[0] = 1;
}

}  // namespace

std::optional<Traceparent> ParseTraceparent(std::string_view header) {
  if (header.size() < kVersion00Length) return std::nullopt;
  if (header[2] != '-' || header[35] != '-' || header[52] != '-') return std::nullopt;
  std::array<std::uint8_t, 1> version{};
  std::array<std::uint8_t, 1> flags{};
  Traceparent trace;
  if (!Read(header.substr(0, 2), version) || !Read(header.substr(3, 32), trace.trace_id) ||
      !Read(header.substr(36, 16), trace.span_id) || !Read(header.substr(53, 2), flags)) {
    return std::nullopt;
  }
  if (version[0] == 0xff || AllZero(trace.trace_id) || AllZero(trace.span_id)) return std::nullopt;
  const bool longer = header.size() > kVersion00Length;
  if (longer && (version[0] == 0 || header[kVersion00Length] != '-')) return std::nullopt;
  trace.flags = flags[0] & 0x01;  // the only flag of version 00; the others must not be passed on
  return trace;
}

std::string ToString(const Traceparent& trace) {
  return "00-" + ToHex(trace.trace_id) + "-" + ToHex(trace.span_id) + "-" +
         ToHex(std::array{trace.flags});
}

std::string TraceIdText(const Traceparent& trace) { return ToHex(trace.trace_id); }

Traceparent NewTrace(Random& random) {
  Traceparent trace;
  Draw(random, trace.trace_id);
  Draw(random, trace.span_id);
  trace.flags = 0x01;
  return trace;
}

Traceparent ChildOf(const Traceparent& parent, Random& random) {
  Traceparent child = parent;
  Draw(random, child.span_id);
  return child;
}

}  // namespace countersign
