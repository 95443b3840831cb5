#pragma once
#include <string_view>

namespace countersign::pg {

// One SQL statement with $n parameters. Made from store/sql/<name>.sql by embed_sql; the name is
// the name of the prepared statement and the metric label, so it is unique within a process.
struct Query {
  std::string_view name;
  std::string_view sql;
};

}  // namespace countersign::pg
