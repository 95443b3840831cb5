#include "libs/pg/rows.h"

#include <fmt/format.h>

#include <pqxx/pqxx>

#include "libs/pg/errors.h"

namespace countersign::pg {
namespace {

using Number = pqxx::result::size_type;
using ColumnIndex = pqxx::row::size_type;

}  // namespace

bool Row::IsNull(int column) const {
  if (column < 0 || static_cast<ColumnIndex>(column) >= result_.columns()) {
    throw UnexpectedResult(fmt::format("no column {}", column));
  }
  return result_[static_cast<Number>(number_)][static_cast<ColumnIndex>(column)].is_null();
}

std::string_view Row::Text(int column) const {
  if (IsNull(column)) throw UnexpectedResult(fmt::format("column {} is NULL", column));
  const auto field = result_[static_cast<Number>(number_)][static_cast<ColumnIndex>(column)];
  return {field.c_str(), field.size()};
}

int Row::ColumnNumber(const char* name) const {
  try {
    return static_cast<int>(result_.column_number(name));
  } catch (const pqxx::argument_error&) {
    throw UnexpectedResult(fmt::format("no column {}", name));
  }
}

Rows::Rows(pqxx::result&& result) : result_(std::make_unique<pqxx::result>(std::move(result))) {}
Rows::~Rows() = default;
Rows::Rows(Rows&&) noexcept = default;
Rows& Rows::operator=(Rows&&) noexcept = default;

std::size_t Rows::size() const { return static_cast<std::size_t>(result_->size()); }

Row Rows::Only() const {
  if (size() != 1) throw UnexpectedResult(fmt::format("{} rows instead of one", size()));
  return (*this)[0];
}

std::size_t Rows::Affected() const { return static_cast<std::size_t>(result_->affected_rows()); }

}  // namespace countersign::pg
