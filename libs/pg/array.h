#pragma once
// Columns for set-based statements: `unnest($1::uuid[], $2::text[])`. They travel in PostgreSQL's
// binary format: neither side writes or parses digits and quotes, and no content can break out of
// its element. The server refuses an array whose element type is not the one the statement names.
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>

#include "libs/core/clock.h"
#include "libs/core/hex.h"
#include "libs/core/uuid.h"

namespace countersign::pg {

void AppendInt32(std::string& out, std::int32_t value);
void AppendInt64(std::string& out, std::int64_t value);
// Throws InvalidText for NUL or anything that is not UTF-8.
void AppendText(std::string& out, std::string_view text);
void AppendInstant(std::string& out, Instant instant);

// kType is the type's OID, the same in every PostgreSQL. Specialised for std::string,
// std::string_view, bool, 32 and 64 bit integers, Bytes, ByteView, std::array<std::uint8_t, N>,
// Uuid, Id<Tag> and Instant.
template <typename T>
struct Element;

template <>
struct Element<std::string_view> {
  static constexpr std::int32_t kType = 25;
  static void Append(std::string& out, std::string_view value) { AppendText(out, value); }
};
template <>
struct Element<std::string> : Element<std::string_view> {};
template <>
struct Element<bool> {
  static constexpr std::int32_t kType = 16;
  static void Append(std::string& out, bool value) { out += static_cast<char>(value); }
};
template <>
struct Element<std::int32_t> {
  static constexpr std::int32_t kType = 23;
  static void Append(std::string& out, std::int32_t value) { AppendInt32(out, value); }
};
template <>
struct Element<std::int64_t> {
  static constexpr std::int32_t kType = 20;
  static void Append(std::string& out, std::int64_t value) { AppendInt64(out, value); }
};
template <>
struct Element<ByteView> {
  static constexpr std::int32_t kType = 17;
  static void Append(std::string& out, ByteView value) { out += AsText(value); }
};
template <>
struct Element<Bytes> : Element<ByteView> {};
template <std::size_t N>
struct Element<std::array<std::uint8_t, N>> : Element<ByteView> {};
template <>
struct Element<Uuid> {
  static constexpr std::int32_t kType = 2950;
  static void Append(std::string& out, const Uuid& value) { out += AsText(value.bytes); }
};
template <typename Tag>
struct Element<Id<Tag>> {
  static constexpr std::int32_t kType = Element<Uuid>::kType;
  static void Append(std::string& out, const Id<Tag>& id) { out += AsText(id.value.bytes); }
};
template <>
struct Element<Instant> {
  static constexpr std::int32_t kType = 1184;
  static void Append(std::string& out, Instant value) { AppendInstant(out, value); }
};

// How the array begins: dimensions, flags, element type, count, first index; then each element as
// its length (-1 for NULL) and its bytes. An empty array has no dimension, so ends after the type.
class ArrayWire {
 public:
  explicit ArrayWire(std::int32_t type);
  // The place for the next element's bytes; Close() when they are appended.
  std::string& Open();
  void Close();
  void Null();
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view View() const;

 private:
  void Put(std::size_t at, std::int32_t value);
  void Count();

  std::string wire_;
  std::size_t size_ = 0;
  std::size_t element_ = 0;  // where the length of the open element is
};

// One array parameter. Not thread safe; cheap to move.
template <typename T>
class Array {
 public:
  // After a throw (InvalidText) the array is of no use.
  void Add(const T& value) {
    Element<T>::Append(wire_.Open(), value);
    wire_.Close();
  }
  void Add(const std::optional<T>& value) {
    if (value) {
      Add(*value);
    } else {
      AddNull();
    }
  }
  void AddNull() { wire_.Null(); }
  [[nodiscard]] std::size_t size() const { return wire_.size(); }
  // Good until the next Add.
  [[nodiscard]] std::string_view Wire() const { return wire_.View(); }

 private:
  ArrayWire wire_{Element<T>::kType};
};

template <typename T>
struct ElementOf {
  using Type = T;
};
template <typename T>
struct ElementOf<std::optional<T>> {
  using Type = T;
};

// pg::Column(commands, &SignUp::phone) or pg::Column(commands, [](const SignUp& c) { return ...;
// }): one element per command, in their order; an empty optional is NULL.
template <std::ranges::input_range Range, typename Projection = std::identity>
[[nodiscard]] auto Column(const Range& range, Projection projection = {}) {
  using Value = std::remove_cvref_t<
      std::invoke_result_t<Projection&, std::ranges::range_reference_t<const Range>>>;
  Array<typename ElementOf<Value>::Type> column;
  for (const auto& item : range) column.Add(std::invoke(projection, item));
  return column;
}

}  // namespace countersign::pg
