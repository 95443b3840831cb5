#include "tools/countersignctl/ledger.h"

#include <chrono>

#include "libs/pg/transaction.h"
#include "tools/countersignctl/command.h"
#include "tools/countersignctl/sql/queries.h"

namespace countersign::ctl {
namespace {

// A migration takes as long as it takes; what it must not do is wait long for a lock, and that is
// the session's lock_timeout.
constexpr auto kLimit = std::chrono::hours(6);

// There are three schemas and all are ours: literal statements need no quoting.
constexpr std::string_view LedgerOf(std::string_view schema) {
  if (schema == "auth") {
    return "CREATE SCHEMA IF NOT EXISTS auth;"
           "CREATE TABLE IF NOT EXISTS auth.schema_migrations (name text PRIMARY KEY,"
           " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";
  }
  if (schema == "relay") {
    return "CREATE SCHEMA IF NOT EXISTS relay;"
           "CREATE TABLE IF NOT EXISTS relay.schema_migrations (name text PRIMARY KEY,"
           " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";
  }
  return "CREATE SCHEMA IF NOT EXISTS otp;"
         "CREATE TABLE IF NOT EXISTS otp.schema_migrations (name text PRIMARY KEY,"
         " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";
}

}  // namespace

void Ledger::Lock() {
  try {
    connection_.Execute(sql::kLockMigrations);
  } catch (const pg::LockTimeout&) {
    throw Failure("another countersignctl migrates this database; try again when it is done");
  }
}

std::vector<AppliedMigration> Ledger::Applied(std::string_view schema) {
  std::vector<AppliedMigration> applied;
  if (!connection_.Execute(sql::kLedgerExists, schema).Only().Get<bool>("exists")) return applied;
  pg::Transaction transaction(connection_, std::chrono::steady_clock::now() + kLimit);
  transaction.Execute(sql::kUseSchema, schema);
  for (const auto row : transaction.Execute(sql::kReadLedger)) {
    applied.push_back({row.Get<std::string>("name"), row.Get<std::string>("checksum"),
                       row.Get<Instant>("applied_at")});
  }
  transaction.Commit();
  return applied;
}

void Ledger::Up(const Migration& migration) {
  pg::Transaction transaction(connection_, std::chrono::steady_clock::now() + kLimit);
  connection_.ExecuteScript(LedgerOf(migration.schema));
  connection_.ExecuteScript(migration.up);
  transaction.Execute(sql::kUseSchema, migration.schema);
  transaction.Execute(sql::kAddToLedger, migration.name, migration.checksum);
  transaction.Commit();
}

void Ledger::Down(const Migration& migration) {
  pg::Transaction transaction(connection_, std::chrono::steady_clock::now() + kLimit);
  connection_.ExecuteScript(migration.down);
  transaction.Execute(sql::kUseSchema, migration.schema);
  transaction.Execute(sql::kRemoveFromLedger, migration.name);
  transaction.Commit();
}

}  // namespace countersign::ctl
