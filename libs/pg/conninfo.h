#pragma once
// How to reach a database: a libpq connection string (key=value or postgresql:// URI) and what we
// set on top of it.
#include <chrono>
#include <string>

#include "libs/core/secret.h"

namespace countersign::pg {

struct ConnectionSettings {
  Secret<std::string> conninfo;                  // may carry a password
  Secret<std::string> password{};                // if not empty, wins over the one in conninfo
  std::string application_name = "countersign";  // unless conninfo names one
  // Limits of the server, in milliseconds there, 0 for none. They travel with the connection
  // request, so that a connection made anew has them too.
  std::chrono::milliseconds lock_timeout{100};
  std::chrono::milliseconds statement_timeout{2'000};
  // Every statement finds its rows by key; a batcher sets this itself. The plan of a statement is
  // made once and used until somebody analyses its tables. One made while they are empty reads them
  // from end to end, and goes on to do so when they hold millions of rows. So whole tables are not
  // read, and no plan is older than this.
  bool finds_by_key = false;
  std::chrono::milliseconds plan_life{10'000};
  // Limits of ours: for making a connection (whole seconds, at least 2, by libpq), and for how long
  // sent data may stay unacknowledged before the connection counts as lost.
  std::chrono::milliseconds connect_timeout{3'000};
  std::chrono::milliseconds network_timeout{5'000};
};

// The connection string with everything in it, for libpq. Throws std::invalid_argument, without
// quoting it, if `conninfo` is not one.
[[nodiscard]] Secret<std::string> FullConninfo(const ConnectionSettings& settings);

// `conninfo` with one keyword set or replaced, in key=value form: WithKeyword(url, "dbname", "x").
// Throws as FullConninfo, and for a keyword libpq does not know when it is used.
[[nodiscard]] std::string WithKeyword(const std::string& conninfo, const std::string& keyword,
                                      const std::string& value);

// Empty if the connection never leaves this machine (unix socket, loopback address, "localhost") or
// has sslmode=verify-full; else the fault, fit for config::Keys::Check. Every host of a list
// counts, and so does what libpq would take from the environment; a service file needs verify-full.
[[nodiscard]] std::string RequireTlsOffLoopback(const std::string& conninfo);

}  // namespace countersign::pg
