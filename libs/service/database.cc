#include "libs/service/database.h"

#include <algorithm>
#include <chrono>

#include "libs/config/load.h"
#include "libs/pg/conninfo.h"
#include "libs/pg/errors.h"
#include "libs/pg/sign_in.h"

namespace countersign::service {
namespace {

// A database that has not answered by then is away.
constexpr std::chrono::milliseconds kSignInLimit{1'000};

}  // namespace

void Bind(Database& database, config::Keys& keys, const std::string& role) {
  keys.Hidden("database.url", database.url,
              {.help = "libpq conninfo of the database and role " + role + ".", .required = true});
  keys.Hidden("database.password", database.password,
              {.help = "Password of the role, if database.url has none."});
  keys.Integer("event_log.days_ahead", database.log_days_ahead,
               {.help = "Days for which partitions of the event log are made ahead.",
                .min = "2",
                .max = "60"});
  keys.Check([&database] {
    return database.url.Empty() ? std::string()  // already reported
                                : pg::RequireTlsOffLoopback(database.url.Reveal());
  });
}

pg::ConnectionSettings SettingsOf(const Database& database, const std::string& role) {
  std::string name = role;
  std::ranges::replace(name, '_', '-');
  return {.conninfo = database.url, .password = database.password, .application_name = name};
}

void CheckDatabase(const pg::ConnectionSettings& settings, const std::string& role,
                   const std::function<void(pg::Connection&)>& probe) {
  if (const std::string why = pg::WhyNotLetIn(settings, kSignInLimit); !why.empty())
    throw config::Fault("database: " + why);
  try {
    pg::Connection connection(settings);
    probe(connection);
  } catch (const pg::Unavailable&) {
    // Away: whoever needs it goes on trying.
  } catch (const pg::Refused& fault) {
    throw config::Fault("database: is it migrated, and is the role " + role + "? " + fault.what());
  }
}

}  // namespace countersign::service
