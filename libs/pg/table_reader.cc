#include "libs/pg/table_reader.h"

#include <libpq-fe.h>

#include <charconv>
#include <cstring>
#include <utility>

namespace countersign::pg {
namespace {

// The positions are read after the snapshot was taken, so that they lie behind everything visible
// in it.
constexpr const char* kMoment =
    "SELECT snapshot::text, pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn(), "
    "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint "
    "FROM (SELECT pg_current_snapshot() AS snapshot OFFSET 0) AS first";
// A WAL file's name begins with the timeline, which the control file tells late after a promotion.
constexpr const char* kIdentity =
    "SELECT (SELECT system_identifier FROM pg_control_system()), "
    "('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::int, "
    "pg_current_wal_flush_lsn()";
// The answers of Open: BEGIN, the moment, then DECLARE and FETCH of each table.
constexpr std::size_t kBeforeTables = 2;

std::int64_t ToNumber(const char* text) {
  std::int64_t value = 0;
  std::from_chars(text, text + std::strlen(text), value);
  return value;
}

Lsn ToLsn(const char* text) {
  const auto lsn = ParseLsn(text);
  if (!lsn) throw ReplicationFault("protocol", "the server's WAL position cannot be read");
  return *lsn;
}

std::string Cursor(std::size_t table) { return "countersign_rows" + std::to_string(table); }

std::string FetchFrom(std::size_t table, int count) {
  return "FETCH " + std::to_string(count) + " FROM " + Cursor(table);
}

}  // namespace

std::optional<TableName> ParseTableName(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == text.size()) return std::nullopt;
  if (text.find('.', dot + 1) != std::string_view::npos) return std::nullopt;
  return TableName{.schema = std::string(text.substr(0, dot)),
                   .table = std::string(text.substr(dot + 1))};
}

TableReader::TableReader(const ConnectionSettings& settings, RawSession::OnWait on_wait)
    : session_(settings, RawSession::Protocol::kOrdinary), on_wait_(std::move(on_wait)) {
  // A cursor's plan must be the one that is soonest at the end, not at the first rows.
  (void)session_.Query("SET cursor_tuple_fraction = 1", "setting up the connection");
}

bool TableReader::TryLock(std::string_view name) { return session_.TryLock(name); }

SystemIdentity TableReader::Identify() {
  const auto rows = session_.Query(kIdentity, "identifying the server (pg_control_system)");
  return {.system_id = PQgetvalue(rows.get(), 0, 0),
          .timeline = static_cast<int>(ToNumber(PQgetvalue(rows.get(), 0, 1))),
          .flushed = ToLsn(PQgetvalue(rows.get(), 0, 2))};
}

Moment TableReader::ReadMoment(const pg_result* rows) {
  return {
      .snapshot = PQgetvalue(rows, 0, 0),
      .written = ToLsn(PQgetvalue(rows, 0, 1)),
      .flushed = ToLsn(PQgetvalue(rows, 0, 2)),
      .time = Instant{std::chrono::microseconds{ToNumber(PQgetvalue(rows, 0, 3))}},
  };
}

Moment TableReader::Now() {
  const auto rows = session_.Query(kMoment, "taking a snapshot");
  return ReadMoment(rows.get());
}

void TableReader::EndIdleAfter(std::chrono::milliseconds limit) {
  const std::string milliseconds = std::to_string(limit.count());
  (void)session_.Query("SET idle_session_timeout = " + milliseconds +
                           "; SET idle_in_transaction_session_timeout = " + milliseconds +
                           "; SET tcp_user_timeout = " + milliseconds,
                       "setting the idle timeouts");
}

bool TableReader::HasRowFromElsewhere(const RowsSince& table) {
  const auto rows = session_.Query(
      "SELECT EXISTS (SELECT FROM " + session_.Quoted(table.table.schema) + "." +
          session_.Quoted(table.table.table) + " WHERE " + session_.Quoted(table.xid_column) +
          " >= pg_snapshot_xmax(pg_current_snapshot()))",
      "looking for rows from elsewhere", on_wait_);
  return PQgetvalue(rows.front().get(), 0, 0)[0] == 't';
}

// What is newer than the snapshot, and what was running when it was taken: with an index on (xid,
// id) both cost what they find.
std::string TableReader::Difference(const RowsSince& rows) const {
  if (rows.snapshot.empty()) return SelectRows(session_, rows);
  const std::string table =
      session_.Quoted(rows.table.schema) + "." + session_.Quoted(rows.table.table);
  const std::string order = " ORDER BY " + session_.Quoted(rows.order_by);
  const std::string xid = session_.Quoted(rows.xid_column);
  const std::string old = session_.Literal(rows.snapshot) + "::pg_snapshot";
  const std::string now =
      " AND pg_visible_in_snapshot(" + xid + ", (SELECT pg_current_snapshot()))";
  std::string query =
      "SELECT * FROM " + table + " WHERE " + xid + " >= pg_snapshot_xmax(" + old + ")" + now;
  const bool had_running = !rows.snapshot.ends_with(':');
  if (had_running) {
    query += " UNION ALL SELECT * FROM " + table + " WHERE " + xid +
             " = ANY(ARRAY(SELECT pg_snapshot_xip(" + old + ")))" + now;
  }
  return query + order;
}

Moment TableReader::Open(const std::vector<RowsSince>& tables) {
  if (sizes_.size() < tables.size()) sizes_.resize(tables.size());
  std::string text = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;";
  text += kMoment;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    text += ";DECLARE " + Cursor(i) + " NO SCROLL CURSOR FOR " + Difference(tables[i]) + ";" +
            FetchFrom(i, sizes_[i].next());
  }
  auto answers = session_.Query(text, "reading the tables", on_wait_);
  if (answers.size() != kBeforeTables + 2 * tables.size()) {
    throw ReplicationFault("protocol", "the server left out an answer");
  }
  pages_.clear();
  for (std::size_t i = 0; i < tables.size(); ++i) {
    pages_.push_back(
        {.rows = std::move(answers[kBeforeTables + 2 * i + 1]), .asked = sizes_[i].next()});
  }
  return ReadMoment(answers[1].get());
}

std::vector<std::string> TableReader::Columns(std::size_t table) const {
  const auto* rows = pages_.at(table).rows.get();
  const int count = PQnfields(rows);
  std::vector<std::string> columns;
  columns.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) columns.emplace_back(PQfname(rows, i));
  return columns;
}

bool TableReader::Fetch(std::size_t table, const std::function<void(const RowValues&)>& on_row) {
  Page& page = pages_.at(table);
  if (page.given) {
    page.asked = sizes_[table].next();
    auto answers = session_.Query(FetchFrom(table, page.asked), "reading a table", on_wait_);
    page.rows = std::move(answers.at(0));
  }
  page.given = true;
  const auto* rows = page.rows.get();
  const int count = PQntuples(rows);
  sizes_[table].Read(PQresultMemorySize(rows), count);
  const int columns = PQnfields(rows);
  RowValues values(static_cast<std::size_t>(columns));
  for (int row = 0; row < count; ++row) {
    for (int i = 0; i < columns; ++i) {
      values[static_cast<std::size_t>(i)] =
          PQgetisnull(rows, row, i) != 0 ? nullptr : PQgetvalue(rows, row, i);
    }
    on_row(values);
  }
  return count == page.asked;
}

void TableReader::Close() {
  pages_.clear();
  (void)session_.Query("COMMIT", "ending a snapshot", on_wait_);
}

void TableReader::Ping() { (void)session_.Query("SELECT 1", "giving a sign of life", on_wait_); }

}  // namespace countersign::pg
