#include "libs/pg/replication.h"

#include <libpq-fe.h>
#include <poll.h>

#include <charconv>
#include <cstring>

namespace countersign::pg {
namespace {

// The walsender takes neither parameters nor prepared statements, so these ask for everything and
// the caller picks.
constexpr const char* kPublications = "SELECT pubname FROM pg_publication";
constexpr const char* kSlots =
    "SELECT slot_name, coalesce(plugin, ''), coalesce(database, ''), coalesce(wal_status, ''), "
    "coalesce(active_pid, 0), confirmed_flush_lsn FROM pg_replication_slots";
// A slot or publication with another name than these characters is refused before any command.
constexpr std::string_view kNameCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
constexpr std::size_t kDataHeader = 1 + 8 + 8 + 8;
constexpr std::size_t kKeepaliveSize = 1 + 8 + 8 + 1;
constexpr auto kPostgresEpoch = std::chrono::sys_days{std::chrono::year{2000} / 1 / 1};

std::uint64_t ReadBig64(const char* at) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(at[i]);
  return value;
}

void WriteBig64(char* at, std::uint64_t value) {
  for (int i = 7; i >= 0; --i, value >>= 8) at[i] = static_cast<char>(value & 0xff);
}

int ToInt(const char* text) {
  int value = 0;
  std::from_chars(text, text + std::strlen(text), value);
  return value;
}

std::string Line(const char* text) {
  std::string line = text == nullptr ? "" : text;
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  for (char& c : line) c = c == '\n' ? ' ' : c;
  return line;
}

// Classes of SQLSTATE that stay until somebody changes a configuration.
bool NeedsOperator(std::string_view state) {
  return state.starts_with("28") || state == "3D000" || state == "42501" || state == "55000" ||
         state == "42704";
}

// libpq gives no SQLSTATE for a refused connection, only the server's English text.
bool RefusedAtLogin(std::string_view text) {
  return text.find("authentication failed") != std::string_view::npos ||
         text.find("no pg_hba.conf entry") != std::string_view::npos ||
         text.find("pg_hba.conf rejects") != std::string_view::npos ||
         text.find("must be superuser or replication role") != std::string_view::npos ||
         text.find("no password supplied") != std::string_view::npos ||
         text.find("certificate verify failed") != std::string_view::npos ||
         text.find("does not match host name") != std::string_view::npos ||
         (text.find("role \"") != std::string_view::npos &&
          text.find("does not exist") != std::string_view::npos) ||
         (text.find("database \"") != std::string_view::npos &&
          text.find("does not exist") != std::string_view::npos);
}

}  // namespace

std::string ReplicationConnection::CheckedName(std::string_view name) {
  if (name.empty() || name.size() > 63 ||
      name.find_first_not_of(kNameCharacters) != std::string_view::npos) {
    throw ReplicationRefused("configuration",
                             "a slot or publication name may have 1 to 63 of [a-zA-Z0-9_]");
  }
  return std::string(name);
}

void ReplicationConnection::Close::operator()(pg_conn* connection) const { PQfinish(connection); }
void ReplicationConnection::Clear::operator()(pg_result* result) const { PQclear(result); }
void ReplicationConnection::FreeCopy::operator()(char* buffer) const { PQfreemem(buffer); }

ReplicationConnection::ReplicationConnection(const ConnectionSettings& settings) {
  const auto conninfo = [&] {
    try {
      return FullConninfo(settings);
    } catch (const std::invalid_argument& fault) {
      throw ReplicationRefused("configuration", fault.what());
    }
  }();
  const char* names[] = {"dbname", "replication", nullptr};
  const char* values[] = {conninfo.Reveal().c_str(), "database", nullptr};
  connection_.reset(PQconnectdbParams(names, values, 1));
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    const std::string text = Line(PQerrorMessage(connection_.get()));
    if (RefusedAtLogin(text)) throw ReplicationRefused("refused", text);
    throw ReplicationFault("connect", text);
  }
  socket_ = PQsocket(connection_.get());
}

ReplicationConnection::~ReplicationConnection() = default;

void ReplicationConnection::Throw(const char* doing, const pg_result* result) const {
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string text =
      Line(result == nullptr ? PQerrorMessage(connection_.get()) : PQresultErrorMessage(result));
  const std::string what = std::string(doing) + ": " + text;
  if (state != nullptr && NeedsOperator(state)) throw ReplicationRefused("refused", what);
  throw ReplicationFault(state == nullptr ? "connection_lost" : "server_error", what);
}

ReplicationConnection::Rows ReplicationConnection::Query(const std::string& text,
                                                         const char* doing) {
  Rows rows(PQexec(connection_.get(), text.c_str()));
  const auto status = PQresultStatus(rows.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) Throw(doing, rows.get());
  return rows;
}

SystemIdentity ReplicationConnection::Identify() {
  const Rows rows = Query("IDENTIFY_SYSTEM", "identifying the server");
  const auto flushed = ParseLsn(PQgetvalue(rows.get(), 0, 2));
  if (!flushed) throw ReplicationFault("protocol", "the server's WAL position cannot be read");
  return {.system_id = PQgetvalue(rows.get(), 0, 0),
          .timeline = ToInt(PQgetvalue(rows.get(), 0, 1)),
          .flushed = *flushed};
}

bool ReplicationConnection::TryLock(std::string_view name) {
  const Rows rows = Query("SELECT pg_try_advisory_lock(" + std::to_string(kSlotLockClass) +
                              ", hashtext('" + CheckedName(name) + "'))",
                          "taking the lock");
  return PQgetvalue(rows.get(), 0, 0)[0] == 't';
}

void ReplicationConnection::SetSenderTimeout(std::chrono::milliseconds timeout) {
  (void)Query("SET wal_sender_timeout = " + std::to_string(timeout.count()),
              "setting wal_sender_timeout");
}

std::vector<std::string> ReplicationConnection::Publications() {
  const Rows rows = Query(kPublications, "listing publications");
  std::vector<std::string> names;
  const int count = PQntuples(rows.get());
  names.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) names.emplace_back(PQgetvalue(rows.get(), i, 0));
  return names;
}

std::optional<Slot> ReplicationConnection::FindSlot(std::string_view name) {
  const Rows rows = Query(kSlots, "listing slots");
  for (int i = 0; i < PQntuples(rows.get()); ++i) {
    if (name != PQgetvalue(rows.get(), i, 0)) continue;
    return Slot{.name = std::string(name),
                .plugin = PQgetvalue(rows.get(), i, 1),
                .database = PQgetvalue(rows.get(), i, 2),
                .wal_status = PQgetvalue(rows.get(), i, 3),
                .active_pid = ToInt(PQgetvalue(rows.get(), i, 4)),
                .confirmed = ParseLsn(PQgetvalue(rows.get(), i, 5))};
  }
  return std::nullopt;
}

void ReplicationConnection::CreateSlot(std::string_view name) {
  (void)Query(
      "CREATE_REPLICATION_SLOT " + CheckedName(name) + " LOGICAL pgoutput NOEXPORT_SNAPSHOT",
      "creating the slot");
}

void ReplicationConnection::Start(std::string_view slot,
                                  const std::vector<std::string>& publications, Lsn from) {
  std::string list;
  for (const auto& name : publications) list += (list.empty() ? "" : ",") + CheckedName(name);
  const std::string command = "START_REPLICATION SLOT " + CheckedName(slot) + " LOGICAL " +
                              ToString(from) + " (proto_version '1', publication_names '" + list +
                              "')";
  const Rows rows(PQexec(connection_.get(), command.c_str()));
  if (PQresultStatus(rows.get()) != PGRES_COPY_BOTH) {
    const char* state = PQresultErrorField(rows.get(), PG_DIAG_SQLSTATE);
    // Somebody else still streams from the slot: it may be our own dead connection.
    if (state != nullptr && std::string_view(state) == "55006") {
      throw ReplicationFault("slot_active", Line(PQresultErrorMessage(rows.get())));
    }
    Throw("starting replication", rows.get());
  }
  if (PQsetnonblocking(connection_.get(), 1) != 0) Throw("making the stream non-blocking", nullptr);
}

std::optional<Frame> ReplicationConnection::Read() {
  char* raw = nullptr;
  int size = PQgetCopyData(connection_.get(), &raw, 1);
  if (size == 0) {
    if (PQconsumeInput(connection_.get()) == 0) Throw("reading the stream", nullptr);
    size = PQgetCopyData(connection_.get(), &raw, 1);
  }
  buffer_.reset(raw);
  if (size == 0) return std::nullopt;
  if (size == -1) {
    const Rows rows(PQgetResult(connection_.get()));
    if (PQresultStatus(rows.get()) == PGRES_FATAL_ERROR) Throw("the stream ended", rows.get());
    throw ReplicationFault("stream_ended", "the server ended the stream");
  }
  if (size < -1) Throw("reading the stream", nullptr);
  const std::string_view frame(raw, static_cast<std::size_t>(size));
  if (frame[0] == 'w' && frame.size() >= kDataHeader) {
    return Frame{.kind = Frame::Kind::kData,
                 .wal_end = Lsn{ReadBig64(raw + 9)},
                 .data = frame.substr(kDataHeader)};
  }
  if (frame[0] == 'k' && frame.size() == kKeepaliveSize) {
    return Frame{.kind = Frame::Kind::kKeepalive,
                 .wal_end = Lsn{ReadBig64(raw + 1)},
                 .reply_requested = frame[17] != 0,
                 .data = {}};
  }
  throw ReplicationFault("protocol", "a message of the stream has an unknown form");
}

void ReplicationConnection::SendStatus(Lsn received, Lsn confirmed) {
  char message[1 + 8 + 8 + 8 + 8 + 1];
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::system_clock::now() - kPostgresEpoch);
  message[0] = 'r';
  WriteBig64(message + 1, received.value);
  WriteBig64(message + 9, confirmed.value);
  WriteBig64(message + 17, confirmed.value);
  WriteBig64(message + 25, static_cast<std::uint64_t>(now.count()));
  message[33] = 0;
  if (PQputCopyData(connection_.get(), message, sizeof message) < 0) {
    Throw("sending status", nullptr);
  }
}

bool ReplicationConnection::Flush() {
  const int left = PQflush(connection_.get());
  if (left < 0) Throw("sending status", nullptr);
  return left > 0;
}

void ReplicationConnection::Finish(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  // Closing with unread data would reset the connection and could destroy the last status unread:
  // the stream is ended in order and what still arrives is thrown away.
  bool said = PQputCopyEnd(connection_.get(), nullptr) == 1;
  bool ended = false;
  while (said) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    const int unsent = PQflush(connection_.get());
    if (unsent < 0 || PQconsumeInput(connection_.get()) == 0) break;
    while (!ended) {
      char* raw = nullptr;
      const int size = PQgetCopyData(connection_.get(), &raw, 1);
      if (size == 0) break;
      PQfreemem(raw);
      ended = size < 0;
    }
    // Only behind the end of the stream does the server let go of the slot, and then it says so.
    if (ended && PQisBusy(connection_.get()) == 0) break;
    pollfd waiting{.fd = socket_,
                   .events = static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN),
                   .revents = 0};
    said = poll(&waiting, 1, static_cast<int>(left.count())) > 0;
  }
  connection_.reset();
}

}  // namespace countersign::pg
