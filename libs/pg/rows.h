#pragma once
// What a statement returned, by typed getters. The views and Rows of a result are good as long as
// its Rows. Not thread safe.
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "libs/pg/codec.h"

namespace pqxx {
class result;
}

namespace countersign::pg {

class Rows;

template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

class Row {
 public:
  // row.Get<Uuid>("user_id"), row.Get<std::optional<Instant>>("used_at"), or by column number from
  // 0, which is faster. Throws UnexpectedResult for NULL (unless optional), an unknown column or
  // text that is no T. `bytea` is Bytes, `timestamptz` Instant; std::string_view borrows from the
  // Rows.
  template <typename T>
  [[nodiscard]] T Get(int column) const {
    if constexpr (IsOptional<T>::value) {
      if (IsNull(column)) return std::nullopt;
      return Codec<typename T::value_type>::Parse(Text(column));
    } else {
      return Codec<T>::Parse(Text(column));
    }
  }
  template <typename T>
  [[nodiscard]] T Get(const char* column) const {
    return Get<T>(ColumnNumber(column));
  }
  [[nodiscard]] bool IsNull(int column) const;
  [[nodiscard]] bool IsNull(const char* column) const { return IsNull(ColumnNumber(column)); }

 private:
  friend class Rows;
  Row(const pqxx::result& result, std::size_t number) : result_(result), number_(number) {}
  [[nodiscard]] std::string_view Text(int column) const;
  [[nodiscard]] int ColumnNumber(const char* name) const;

  const pqxx::result& result_;
  std::size_t number_;
};

class Rows {
 public:
  explicit Rows(pqxx::result&& result);
  ~Rows();
  Rows(Rows&&) noexcept;
  Rows& operator=(Rows&&) noexcept;

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] Row operator[](std::size_t number) const { return {*result_, number}; }
  // The only row; throws UnexpectedResult if there is not exactly one.
  [[nodiscard]] Row Only() const;
  // Rows changed by an INSERT, UPDATE or DELETE.
  [[nodiscard]] std::size_t Affected() const;

  class Iterator {
   public:
    Iterator(const Rows& rows, std::size_t number) : rows_(rows), number_(number) {}
    [[nodiscard]] Row operator*() const { return rows_[number_]; }
    Iterator& operator++() {
      ++number_;
      return *this;
    }
    [[nodiscard]] bool operator!=(const Iterator& other) const { return number_ != other.number_; }

   private:
    const Rows& rows_;
    std::size_t number_;
  };
  [[nodiscard]] Iterator begin() const { return {*this, 0}; }
  [[nodiscard]] Iterator end() const { return {*this, size()}; }

 private:
  std::unique_ptr<pqxx::result> result_;
};

}  // namespace countersign::pg
