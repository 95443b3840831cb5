#include "libs/pg/replication.h"

#include <libpq-fe.h>
#include <poll.h>

#include <charconv>
#include <cstring>

namespace countersign::pg {
namespace {

// The walsender takes neither parameters nor prepared statements, so these ask for everything and
// the caller picks.
constexpr const char* kPublications =
    "SELECT pubname, NOT pubviaroot AND EXISTS (SELECT FROM pg_publication_tables t JOIN "
    "pg_namespace n ON n.nspname = t.schemaname JOIN pg_class c ON c.relnamespace = n.oid AND "
    "c.relname = t.tablename WHERE t.pubname = p.pubname AND c.relispartition) "
    "FROM pg_publication p";
constexpr const char* kSlots =
    "SELECT slot_name, coalesce(plugin, ''), coalesce(database, ''), coalesce(wal_status, ''), "
    "coalesce(active_pid, 0), confirmed_flush_lsn FROM pg_replication_slots";
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

}  // namespace

void ReplicationConnection::FreeCopy::operator()(char* buffer) const { PQfreemem(buffer); }

ReplicationConnection::ReplicationConnection(const ConnectionSettings& settings)
    : session_(settings, RawSession::Protocol::kReplication), socket_(PQsocket(session_.get())) {}

ReplicationConnection::~ReplicationConnection() = default;

SystemIdentity ReplicationConnection::Identify() {
  const Rows rows = Query("IDENTIFY_SYSTEM", "identifying the server");
  const auto flushed = ParseLsn(PQgetvalue(rows.get(), 0, 2));
  if (!flushed) throw ReplicationFault("protocol", "the server's WAL position cannot be read");
  return {.system_id = PQgetvalue(rows.get(), 0, 0),
          .timeline = ToInt(PQgetvalue(rows.get(), 0, 1)),
          .flushed = *flushed};
}

bool ReplicationConnection::TryLock(std::string_view name) { return session_.TryLock(name); }

void ReplicationConnection::SetSenderTimeout(std::chrono::milliseconds timeout) {
  (void)Query("SET wal_sender_timeout = " + std::to_string(timeout.count()),
              "setting wal_sender_timeout");
}

std::vector<Publication> ReplicationConnection::Publications() {
  const Rows rows = Query(kPublications, "listing publications");
  std::vector<Publication> publications;
  const int count = PQntuples(rows.get());
  publications.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    publications.push_back({.name = PQgetvalue(rows.get(), i, 0),
                            .sends_partitions = PQgetvalue(rows.get(), i, 1)[0] == 't'});
  }
  return publications;
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
  const Rows rows(PQexec(session_.get(), command.c_str()));
  if (PQresultStatus(rows.get()) != PGRES_COPY_BOTH) {
    const char* state = PQresultErrorField(rows.get(), PG_DIAG_SQLSTATE);
    // Somebody else still streams from the slot: it may be our own dead connection.
    if (state != nullptr && std::string_view(state) == "55006") {
      throw ReplicationFault("slot_active", RawSession::Line(PQresultErrorMessage(rows.get())));
    }
    session_.Throw("starting replication", rows.get());
  }
  if (PQsetnonblocking(session_.get(), 1) != 0)
    session_.Throw("making the stream non-blocking", nullptr);
}

std::optional<Frame> ReplicationConnection::Read() {
  char* raw = nullptr;
  int size = PQgetCopyData(session_.get(), &raw, 1);
  if (size == 0) {
    if (PQconsumeInput(session_.get()) == 0) session_.Throw("reading the stream", nullptr);
    size = PQgetCopyData(session_.get(), &raw, 1);
  }
  buffer_.reset(raw);
  if (size == 0) return std::nullopt;
  if (size == -1) {
    const Rows rows(PQgetResult(session_.get()));
    if (PQresultStatus(rows.get()) == PGRES_FATAL_ERROR)
      session_.Throw("the stream ended", rows.get());
    throw ReplicationFault("stream_ended", "the server ended the stream");
  }
  if (size < -1) session_.Throw("reading the stream", nullptr);
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
  if (PQputCopyData(session_.get(), message, sizeof message) < 0) {
    session_.Throw("sending status", nullptr);
  }
}

bool ReplicationConnection::Flush() {
  const int left = PQflush(session_.get());
  if (left < 0) session_.Throw("sending status", nullptr);
  return left > 0;
}

void ReplicationConnection::Finish(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  // Closing with unread data would reset the connection and could destroy the last status unread:
  // the stream is ended in order and what still arrives is thrown away.
  bool said = PQputCopyEnd(session_.get(), nullptr) == 1;
  bool ended = false;
  while (said) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    const int unsent = PQflush(session_.get());
    if (unsent < 0 || PQconsumeInput(session_.get()) == 0) break;
    while (!ended) {
      char* raw = nullptr;
      const int size = PQgetCopyData(session_.get(), &raw, 1);
      if (size == 0) break;
      PQfreemem(raw);
      ended = size < 0;
    }
    // Only behind the end of the stream does the server let go of the slot, and then it says so.
    if (ended && PQisBusy(session_.get()) == 0) break;
    pollfd waiting{.fd = socket_,
                   .events = static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN),
                   .revents = 0};
    said = poll(&waiting, 1, static_cast<int>(left.count())) > 0;
  }
  session_.Close();
}

}  // namespace countersign::pg
