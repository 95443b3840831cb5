#pragma once
// Columns for set-based statements: `unnest($1::uuid[], $2::text[])`. Values are quoted here and
// checked (CheckText), so no content can break out of its element.
#include <functional>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>

#include "libs/pg/codec.h"

namespace countersign::pg {

// Appends `text` as a quoted element.
void AppendQuoted(std::string& out, std::string_view text);

// One array parameter. Not thread safe; cheap to move.
template <typename T>
requires Renderable<T>
class Array {
 public:
  void Add(const T& value) {
    if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      CheckText(value);
      Open();
      AppendQuoted(literal_, value);
    } else if constexpr (Codec<T>::kQuoted) {
      // Quoted as a whole: bytea begins with a backslash.
      std::string element;
      Codec<T>::Render(element, value);
      Open();
      AppendQuoted(literal_, element);
    } else {
      Open();
      Codec<T>::Render(literal_, value);
    }
    literal_ += '}';
  }
  void Add(const std::optional<T>& value) {
    if (value) {
      Add(*value);
    } else {
      AddNull();
    }
  }
  void AddNull() {
    Open();
    literal_ += "NULL}";
  }
  void Reserve(std::size_t characters) { literal_.reserve(characters); }
  [[nodiscard]] std::size_t size() const { return size_; }
  // "{...}", good until the next Add.
  [[nodiscard]] const std::string& Literal() const { return literal_; }

 private:
  void Open() {
    literal_.pop_back();
    if (size_++ > 0) literal_ += ',';
  }
  std::string literal_ = "{}";
  std::size_t size_ = 0;
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
