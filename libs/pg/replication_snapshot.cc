// A new slot together with the state of the database at which it begins, and reading that state.
#include <libpq-fe.h>

#include <charconv>
#include <cstring>

#include "libs/pg/replication.h"

namespace countersign::pg {
namespace {

constexpr const char* kCursor = "countersign_rows";

}  // namespace

void ReplicationConnection::DropSlot(std::string_view name) {
  (void)Query("SELECT pg_drop_replication_slot(" + session_.Literal(name) + ")",
              "dropping the slot");
}

NewSlot ReplicationConnection::CreateSlotAndSnapshot(std::string_view name) {
  (void)Query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "beginning a snapshot");
  const Rows made =
      Query("CREATE_REPLICATION_SLOT " + CheckedName(name) + " LOGICAL pgoutput USE_SNAPSHOT",
            "creating the slot");
  const auto begins = ParseLsn(PQgetvalue(made.get(), 0, 1));
  if (!begins) throw ReplicationFault("protocol", "the new slot's position cannot be read");
  const Rows snapshot = Query("SELECT pg_current_snapshot()", "reading the slot's snapshot");
  return {.begins = *begins, .snapshot = PQgetvalue(snapshot.get(), 0, 0)};
}

std::vector<std::string> ReplicationConnection::Select(const RowsSince& rows) {
  (void)Query(
      std::string("DECLARE ") + kCursor + " NO SCROLL CURSOR FOR " + SelectRows(session_, rows),
      "reading a table");
  page_size_ = {};
  const Rows none = Query(std::string("FETCH 0 FROM ") + kCursor, "reading a table");
  const int count = PQnfields(none.get());
  std::vector<std::string> columns;
  columns.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) columns.emplace_back(PQfname(none.get(), i));
  return columns;
}

bool ReplicationConnection::Fetch(const std::function<void(const RowValues&)>& on_row) {
  const int count = page_size_.next();
  const Rows rows = Query("FETCH " + std::to_string(count) + " FROM " + kCursor, "reading a table");
  page_size_.Read(PQresultMemorySize(rows.get()), PQntuples(rows.get()));
  const int columns = PQnfields(rows.get());
  RowValues values(static_cast<std::size_t>(columns));
  for (int row = 0; row < PQntuples(rows.get()); ++row) {
    for (int i = 0; i < columns; ++i) {
      values[static_cast<std::size_t>(i)] =
          PQgetisnull(rows.get(), row, i) != 0 ? nullptr : PQgetvalue(rows.get(), row, i);
    }
    on_row(values);
  }
  if (PQntuples(rows.get()) == count) return true;
  (void)Query(std::string("CLOSE ") + kCursor, "reading a table");
  return false;
}

void ReplicationConnection::EndSnapshot() { (void)Query("COMMIT", "ending the snapshot"); }

std::vector<TableName> ReplicationConnection::PublishedTables(std::string_view publication) {
  const Rows rows =
      Query("SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = " +
                session_.Literal(publication) + " ORDER BY 1, 2",
            "listing the tables of a publication");
  const int count = PQntuples(rows.get());
  std::vector<TableName> tables;
  tables.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    tables.push_back({PQgetvalue(rows.get(), i, 0), PQgetvalue(rows.get(), i, 1)});
  }
  return tables;
}

std::optional<Lsn> ReplicationConnection::EndOfTimeline(int timeline, int current) {
  if (timeline >= current) return std::nullopt;
  const Rows rows =
      Query("TIMELINE_HISTORY " + std::to_string(current), "reading the timeline's history");
  // Lines of "timeline <tab> where it ended <tab> why".
  std::string_view history = PQgetvalue(rows.get(), 0, 1);
  while (!history.empty()) {
    const auto line = history.substr(0, history.find('\n'));
    history.remove_prefix(std::min(line.size() + 1, history.size()));
    int number = 0;
    const auto read = std::from_chars(line.data(), line.data() + line.size(), number);
    if (read.ec != std::errc{} || number != timeline) continue;
    const auto rest = line.substr(static_cast<std::size_t>(read.ptr - line.data()) + 1);
    return ParseLsn(rest.substr(0, rest.find('\t')));
  }
  return std::nullopt;
}

}  // namespace countersign::pg
