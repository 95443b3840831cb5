#pragma once
// The database as its owner sees it: where tests look at what was written, and move time.
#include <map>
#include <string>
#include <string_view>

#include "libs/pg/connection.h"

namespace countersign::support {

// Not thread safe.
class Owner {
 public:
  explicit Owner(const pg::ConnectionSettings& settings) : connection_(settings) {}

  template <typename... Values>
  pg::Rows Run(std::string_view sql, const Values&... values) {
    return connection_.Execute(Named(sql), values...);
  }
  // The one column of the one row.
  template <typename T, typename... Values>
  [[nodiscard]] T One(std::string_view sql, const Values&... values) {
    return Run(sql, values...).Only().template Get<T>(0);
  }
  void Script(std::string_view sql) { connection_.ExecuteScript(sql); }

 private:
  [[nodiscard]] pg::Query Named(std::string_view sql);

  pg::Connection connection_;
  std::map<std::string, std::string, std::less<>> names_;  // by statement
};

}  // namespace countersign::support
