#include "libs/pg/raw_session.h"

#include <libpq-fe.h>
#include <poll.h>

#include <optional>

namespace countersign::pg {
namespace {

// A slot or publication with another name than these characters is refused before any command.
constexpr std::string_view kNameCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
constexpr int kBeatMilliseconds = 100;

struct FreeText {
  void operator()(char* text) const { PQfreemem(text); }
};
using Text = std::unique_ptr<char, FreeText>;

struct FreeCancel {
  void operator()(PGcancel* cancel) const { PQfreeCancel(cancel); }
};

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

bool IsAnswer(const pg_result* result) {
  const auto status = PQresultStatus(result);
  return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

}  // namespace

void RawSession::Finish::operator()(pg_conn* connection) const { PQfinish(connection); }
void RawSession::Clear::operator()(pg_result* result) const { PQclear(result); }

RawSession::RawSession(const ConnectionSettings& settings, Protocol protocol) {
  const auto conninfo = [&] {
    try {
      return FullConninfo(settings);
    } catch (const std::invalid_argument& fault) {
      throw ReplicationRefused("configuration", fault.what());
    }
  }();
  const bool replication = protocol == Protocol::kReplication;
  const char* names[] = {"dbname", replication ? "replication" : nullptr, nullptr};
  const char* values[] = {conninfo.Reveal().c_str(), replication ? "database" : nullptr, nullptr};
  connection_.reset(PQconnectdbParams(names, values, 1));
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    const std::string text = Line(PQerrorMessage(connection_.get()));
    if (RefusedAtLogin(text)) throw ReplicationRefused("refused", text);
    throw ReplicationFault("connect", text);
  }
}

RawSession::~RawSession() = default;

std::string RawSession::Line(const char* text) {
  std::string line = text == nullptr ? "" : text;
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  for (char& c : line) c = c == '\n' ? ' ' : c;
  return line;
}

void RawSession::Throw(const char* doing, const pg_result* result) const {
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string text =
      Line(result == nullptr ? PQerrorMessage(connection_.get()) : PQresultErrorMessage(result));
  const std::string what = std::string(doing) + ": " + text;
  if (state != nullptr && NeedsOperator(state)) throw ReplicationRefused("refused", what);
  throw ReplicationFault(state == nullptr ? "connection_lost" : "server_error", what);
}

RawSession::Rows RawSession::Query(const std::string& text, const char* doing) const {
  Rows rows(PQexec(connection_.get(), text.c_str()));
  if (!IsAnswer(rows.get())) Throw(doing, rows.get());
  return rows;
}

std::vector<RawSession::Rows> RawSession::Query(const std::string& text, const char* doing,
                                                const OnWait& on_wait) const {
  if (PQsendQuery(connection_.get(), text.c_str()) == 0) Throw(doing, nullptr);
  std::vector<Rows> answers;
  Rows fault;
  while (true) {
    AwaitInput(doing, on_wait);
    Rows answer(PQgetResult(connection_.get()));
    if (!answer) break;
    if (!IsAnswer(answer.get())) {
      if (!fault) fault = std::move(answer);
    } else {
      answers.push_back(std::move(answer));
    }
  }
  if (fault) Throw(doing, fault.get());
  return answers;
}

// Until PQgetResult does not block.
void RawSession::AwaitInput(const char* doing, const OnWait& on_wait) const {
  while (PQisBusy(connection_.get()) != 0) {
    pollfd waiting{.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
    const int ready = poll(&waiting, 1, kBeatMilliseconds);
    if (ready > 0 && PQconsumeInput(connection_.get()) == 0) Throw(doing, nullptr);
    if (ready > 0 || !on_wait || on_wait()) continue;
    const std::unique_ptr<PGcancel, FreeCancel> cancel(PQgetCancel(connection_.get()));
    char why[256];
    if (cancel) (void)PQcancel(cancel.get(), why, sizeof why);
    throw ReplicationFault("stopped", std::string(doing) + ": stopped");
  }
}

bool RawSession::TryLock(std::string_view name) const {
  const Rows rows = Query("SELECT pg_try_advisory_lock(" + std::to_string(kSlotLockClass) +
                              ", hashtext('" + CheckedName(name) + "'))",
                          "taking the lock");
  return PQgetvalue(rows.get(), 0, 0)[0] == 't';
}

std::string RawSession::CheckedName(std::string_view name) {
  if (name.empty() || name.size() > 63 ||
      name.find_first_not_of(kNameCharacters) != std::string_view::npos) {
    throw ReplicationRefused("configuration",
                             "a slot or publication name may have 1 to 63 of [a-zA-Z0-9_]");
  }
  return std::string(name);
}

std::string RawSession::Quoted(std::string_view identifier) const {
  const Text text(PQescapeIdentifier(connection_.get(), identifier.data(), identifier.size()));
  if (!text) throw ReplicationRefused("configuration", "a name of the database is no valid text");
  return text.get();
}

std::string RawSession::Literal(std::string_view text) const {
  const Text quoted(PQescapeLiteral(connection_.get(), text.data(), text.size()));
  if (!quoted) throw ReplicationRefused("configuration", "a value is no valid text");
  return quoted.get();
}

}  // namespace countersign::pg
