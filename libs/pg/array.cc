#include "libs/pg/array.h"

#include <chrono>
#include <limits>

#include "libs/core/invariant.h"
#include "libs/pg/codec.h"

namespace countersign::pg {
namespace {

constexpr std::size_t kDimensionsAt = 0;
constexpr std::size_t kFlagsAt = 4;
constexpr std::size_t kCountAt = 12;
constexpr std::size_t kEmptyBytes = 12;
constexpr std::int32_t kHasNulls = 1;
constexpr std::int32_t kNull = -1;
constexpr std::chrono::sys_days kEpoch{std::chrono::year(2000) / 1 / 1};  // PostgreSQL's

template <typename Unsigned>
void AppendBigEndian(std::string& out, Unsigned value) {
  for (int shift = std::numeric_limits<Unsigned>::digits - 8; shift >= 0; shift -= 8) {
    out += static_cast<char>(value >> static_cast<unsigned>(shift));
  }
}

}  // namespace

void AppendInt32(std::string& out, std::int32_t value) {
  AppendBigEndian(out, static_cast<std::uint32_t>(value));
}

void AppendInt64(std::string& out, std::int64_t value) {
  AppendBigEndian(out, static_cast<std::uint64_t>(value));
}

void AppendText(std::string& out, std::string_view text) {
  CheckText(text);
  out += text;
}

void AppendInstant(std::string& out, Instant instant) {
  std::int64_t micros = 0;
  if (instant == Instant::min()) {
    micros = std::numeric_limits<std::int64_t>::min();
  } else if (instant == Instant::max()) {
    micros = std::numeric_limits<std::int64_t>::max();
  } else {
    micros = std::chrono::duration_cast<std::chrono::microseconds>(instant - kEpoch).count();
  }
  AppendInt64(out, micros);
}

ArrayWire::ArrayWire(std::int32_t type) {
  AppendInt32(wire_, 0);
  AppendInt32(wire_, 0);
  AppendInt32(wire_, type);
  AppendInt32(wire_, 0);
  AppendInt32(wire_, 1);
}

std::string& ArrayWire::Open() {
  element_ = wire_.size();
  AppendInt32(wire_, kNull);
  return wire_;
}

void ArrayWire::Close() {
  const std::size_t bytes = wire_.size() - element_ - sizeof(std::int32_t);
  Invariant(bytes <= std::numeric_limits<std::int32_t>::max(), "an element fits into an array");
  Put(element_, static_cast<std::int32_t>(bytes));
  Count();
}

void ArrayWire::Null() {
  AppendInt32(wire_, kNull);
  Put(kFlagsAt, kHasNulls);
  Count();
}

std::string_view ArrayWire::View() const {
  return std::string_view(wire_).substr(0, size_ == 0 ? kEmptyBytes : wire_.size());
}

void ArrayWire::Count() {
  ++size_;
  Put(kDimensionsAt, 1);
  Put(kCountAt, static_cast<std::int32_t>(size_));
}

void ArrayWire::Put(std::size_t at, std::int32_t value) {
  std::string bytes;
  AppendInt32(bytes, value);
  wire_.replace(at, bytes.size(), bytes);
}

}  // namespace countersign::pg
