#pragma once
// The database of a service: how it is configured, and the look at it before the service starts.
#include <functional>
#include <string>

#include "libs/config/keys.h"
#include "libs/core/secret.h"
#include "libs/pg/connection.h"

namespace countersign::service {

// Keys database.url, database.password and event_log.days_ahead.
struct Database {
  Secret<std::string> url;
  Secret<std::string> password;
  int log_days_ahead = 14;
};

// Off loopback the URL must ask for TLS that checks the server. `role` is for the help.
void Bind(Database& database, config::Keys& keys, const std::string& role);

// `role` is the name at the server, too: countersign_auth appears as countersign-auth.
[[nodiscard]] pg::ConnectionSettings SettingsOf(const Database& database, const std::string& role);

// Signs in and runs `probe`, which fails unless the schema is migrated and the role is the right
// one. Throws config::Fault for what waiting would not mend; a database that is merely away passes.
void CheckDatabase(const pg::ConnectionSettings& settings, const std::string& role,
                   const std::function<void(pg::Connection&)>& probe);

}  // namespace countersign::service
