#pragma once
// Which migrations a database has: table <schema>.schema_migrations.
#include <string>
#include <string_view>
#include <vector>

#include "libs/core/clock.h"
#include "libs/pg/connection.h"
#include "tools/countersignctl/migration.h"

namespace countersign::ctl {

struct AppliedMigration {
  std::string name;
  std::string checksum;
  Instant applied_at;
};

// Not thread safe. Throws the faults of libs/pg.
class Ledger {
 public:
  explicit Ledger(pg::Connection& connection) : connection_(connection) {}

  // Held until the connection ends. Throws Failure if another program migrates for longer than the
  // connection's lock_timeout.
  void Lock();
  [[nodiscard]] std::vector<AppliedMigration> Applied(std::string_view schema);
  // Each runs the section and keeps the books in one transaction.
  void Up(const Migration& migration);
  void Down(const Migration& migration);

 private:
  pg::Connection& connection_;
};

}  // namespace countersign::ctl
