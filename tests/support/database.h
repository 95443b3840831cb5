#pragma once
// A database of its own for each test binary, on the private server that COUNTERSIGN_TEST_DATABASE
// (the conninfo of a superuser) names.
//
//   using StoreTest = support::PgTest;
//   TEST_F(StoreTest, KeepsWhatItWasGiven) { pg::Connection db(Settings()); ... }
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "libs/pg/connection.h"
#include "libs/pg/conninfo.h"

namespace countersign::support {

enum class Schema {
  kEmpty,
  kMigrated,  // all of migrations/auth and migrations/otp; tests run in the source folder
};

// Made by the constructor, dropped by the destructor, whoever is still connected.
class Database {
 public:
  Database(std::string server_conninfo, Schema schema);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  [[nodiscard]] const std::string& conninfo() const { return conninfo_; }

 private:
  void Drop();
  std::string server_;
  std::string name_;
  std::string conninfo_;
};

// Tests that need a database. They share one, migrated, that lives until the binary ends; a test
// uses ids of its own. Without COUNTERSIGN_TEST_DATABASE they are skipped, or fail if CI=true.
class PgTest : public ::testing::Test {
 protected:
  void SetUp() override;

  // As superuser, or with the rights of `role` ("countersign_auth").
  [[nodiscard]] static pg::ConnectionSettings Settings(const std::string& role = "");
  [[nodiscard]] static std::string Conninfo();
};

// Empty if it is not set.
[[nodiscard]] std::string ServerConninfo();
// The `-- migrate:up` section of a migration.
[[nodiscard]] std::string UpSection(const std::string& migration);

}  // namespace countersign::support
