#include "libs/pg/sign_in.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include "libs/core/deadline.h"

namespace countersign::pg {
namespace {

// What libpq finds out by itself has no SQLSTATE; a process of ours has no locale, so its texts are
// in English.
constexpr std::array<std::string_view, 6> kFoundByUs = {
    "no password supplied",  "certificate verify failed",   "does not match host name",
    "root certificate file", "server does not support SSL", "invalid sslmode value",
};

// Invalid authorization (28), no such database (3D000), no right to connect (42501). Not 53 (full)
// nor 57P (starting, stopping): those pass.
bool NeedsOperator(std::string_view sqlstate) {
  return sqlstate.starts_with("28") || sqlstate == "3D000" || sqlstate == "42501";
}

// The first line, without the place in the server's source.
std::string FirstLine(const char* text) {
  const std::string_view all(text);
  return std::string(all.substr(0, all.find('\n')));
}

// Of "... FATAL:  28P01: password authentication failed ...", in whatever language the server
// speaks; empty if there is none.
std::string_view SqlstateIn(std::string_view line) {
  constexpr std::string_view kBefore = ":  ";
  constexpr std::size_t kLength = 5;
  const auto colon = line.find(kBefore);
  if (colon == std::string_view::npos) return {};
  const std::string_view rest = line.substr(colon + kBefore.size());
  if (rest.substr(std::min(kLength, rest.size())).rfind(": ", 0) != 0) return {};
  return rest.substr(0, kLength);
}

std::string Judge(const PGconn* connection) {
  std::string line = FirstLine(PQerrorMessage(connection));
  const std::string_view sqlstate = SqlstateIn(line);
  const bool refused = sqlstate.empty()
                           ? std::ranges::any_of(kFoundByUs,
                                                 [&](std::string_view fault) {
                                                   return line.find(fault) != std::string::npos;
                                                 })
                           : NeedsOperator(sqlstate);
  return refused ? line : "";
}

// False once the limit is over.
bool Wait(PGconn* connection, short events, Deadline deadline) {
  pollfd socket{PQsocket(connection), events, 0};
  const auto left = std::max(TimeLeft(deadline), std::chrono::milliseconds(0));
  return poll(&socket, 1, static_cast<int>(left.count())) > 0;
}

}  // namespace

std::string WhyNotLetIn(const ConnectionSettings& settings, std::chrono::milliseconds limit) {
  const Deadline deadline = std::chrono::steady_clock::now() + limit;
  const auto conninfo = FullConninfo(settings);
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(
      PQconnectStart(conninfo.Reveal().c_str()), PQfinish);
  if (PQstatus(connection.get()) == CONNECTION_BAD) return Judge(connection.get());
  PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);  // brings the SQLSTATE
  auto wanted = PGRES_POLLING_WRITING;
  while (true) {
    const auto events = static_cast<short>(wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT);
    if (!Wait(connection.get(), events, deadline)) return "";
    wanted = PQconnectPoll(connection.get());
    if (wanted == PGRES_POLLING_OK) return "";
    if (wanted == PGRES_POLLING_FAILED) return Judge(connection.get());
  }
}

}  // namespace countersign::pg
