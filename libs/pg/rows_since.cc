#include "libs/pg/rows_since.h"

namespace countersign::pg {

// Neither the walsender nor several statements in one message take parameters: names and values are
// quoted by libpq.
std::string SelectRows(const RawSession& session, const RowsSince& rows) {
  const std::string order = session.Quoted(rows.order_by);
  std::string query = "SELECT * FROM " + session.Quoted(rows.table.schema) + "." +
                      session.Quoted(rows.table.table) + " WHERE true";
  for (const auto& [column, value] : rows.matching) {
    query += " AND " + session.Quoted(column) + " = " + session.Literal(value);
  }
  if (rows.from) query += " AND " + order + " >= " + std::to_string(*rows.from);
  const auto visible_in = [&](const std::string& snapshot) {
    return "pg_visible_in_snapshot(" + session.Quoted(rows.xid_column) + ", " +
           session.Literal(snapshot) + ")";
  };
  if (!rows.snapshot.empty()) query += " AND NOT " + visible_in(rows.snapshot);
  if (!rows.visible_in.empty()) query += " AND " + visible_in(rows.visible_in);
  return query + " ORDER BY " + order;
}

}  // namespace countersign::pg
