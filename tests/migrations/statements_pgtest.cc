// Every SQL file is understood by the migrated schema, and the role that runs it may run it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "libs/pg/connection.h"
#include "libs/pg/errors.h"
#include "tests/support/database.h"
#include "tools/countersignctl/command.h"

namespace countersign {
namespace {

namespace fs = std::filesystem;

struct Statement {
  fs::path file;
  std::string role;         // empty: the owner
  std::string search_path;  // of the session
};

// A folder of statements and whose they are.
void AddFolder(std::vector<Statement>& statements, const fs::path& folder, const std::string& role,
               const std::string& search_path) {
  if (!fs::exists(folder)) return;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".sql") {
      statements.push_back({entry.path(), role, search_path});
    }
  }
}

std::vector<Statement> AllStatements() {
  std::vector<Statement> statements;
  AddFolder(statements, "services/auth/store/sql", "countersign_auth", "\"$user\", public");
  AddFolder(statements, "services/otp/store/sql", "countersign_otp", "\"$user\", public");
  AddFolder(statements, "services/outbox-relay/sql", "countersign_relay", "\"$user\", public");
  AddFolder(statements, "tools/countersignctl/sql", "", "auth");
  std::ranges::sort(statements, {}, &Statement::file);
  return statements;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class StatementsTest : public support::PgTest {
 protected:
  static void SetUpTestSuite() {
    if (support::ServerConninfo().empty()) return;
    database_ =
        std::make_unique<support::Database>(support::ServerConninfo(), support::Schema::kEmpty);
    std::ostringstream out;
    std::ostringstream err;
    const std::vector<std::string> words = {"migrate", "up", "--database-url",
                                            database_->conninfo()};
    const auto nothing = [](const std::string&) { return std::optional<std::string>(); };
    ASSERT_EQ(ctl::Run(words, nothing, {out, err}), ctl::kOk) << err.str();
  }
  static void TearDownTestSuite() { database_.reset(); }

  [[nodiscard]] static pg::Connection Connect(const Statement& statement) {
    std::string options = "-c search_path=";
    for (const char c : statement.search_path) options += c == ' ' ? "\\ " : std::string(1, c);
    if (!statement.role.empty()) options += " -c role=" + statement.role;
    return pg::Connection(
        {.conninfo = Secret(pg::WithKeyword(database_->conninfo(), "options", options))});
  }

  inline static std::unique_ptr<support::Database> database_;
};

TEST_F(StatementsTest, ThereAreStatementsOfEveryProgramToTry) {
  std::set<fs::path> folders;
  for (const auto& statement : AllStatements()) folders.insert(statement.file.parent_path());
  EXPECT_GE(folders.size(), 2U);
}

TEST_F(StatementsTest, EachSaysWhyInItsFirstLine) {
  for (const auto& [file, role, search_path] : AllStatements()) {
    EXPECT_TRUE(ReadFile(file).starts_with("-- ")) << file;
  }
}

TEST_F(StatementsTest, EachIsOneStatementTheSchemaUnderstands) {
  for (const auto& statement : AllStatements()) {
    auto db = Connect(statement);
    try {
      db.ExecuteScript("PREPARE tried AS " + ReadFile(statement.file));
    } catch (const pg::Fault& fault) {
      ADD_FAILURE() << statement.file << ": " << fault.what();
    }
  }
}

// Rights are looked at only when a statement starts, which EXPLAIN EXECUTE does without running it.
// Returns the plan.
std::string Explain(pg::Connection& db, const Statement& statement) {
  constexpr pg::Query kParameters{"parameters",
                                  "SELECT coalesce(array_length(parameter_types, 1), 0) FROM "
                                  "pg_prepared_statements WHERE name = 'tried'"};
  db.ExecuteScript("PREPARE tried AS " + ReadFile(statement.file));
  const int count = db.Execute(kParameters).Only().Get<int>(0);
  std::string nulls;
  for (int i = 0; i < count; ++i) nulls += i == 0 ? "(NULL" : ", NULL";
  const std::string explain = "EXPLAIN EXECUTE tried" + nulls + (count > 0 ? ")" : "");
  std::string plan;
  for (const pg::Row row : db.Execute({"explain", explain})) plan += row.Get<std::string>(0) + "\n";
  return plan;
}

TEST_F(StatementsTest, DB1_EachIsAllowedToTheRoleThatRunsIt) {
  for (const auto& statement : AllStatements()) {
    auto db = Connect(statement);
    try {
      static_cast<void>(Explain(db, statement));
    } catch (const pg::Fault& fault) {
      ADD_FAILURE() << statement.file << ": " << fault.what();
    }
  }
}

// A count of a country, a tenant or of everybody is a row that all who sign up wait for, one after
// the other. The statement writes rows of the person alone.
TEST_F(StatementsTest, TheSignUpWritesNoRowThatDifferentPeopleShare) {
  const auto statements = AllStatements();
  const auto sign_up = std::ranges::find(statements, "send_code.sql",
                                         [](const auto& one) { return one.file.filename(); });
  ASSERT_NE(sign_up, statements.end());
  auto db = Connect(*sign_up);
  const std::string plan = Explain(db, *sign_up);
  std::set<std::string> written;
  for (const std::string write : {"Insert on ", "Update on ", "Delete on ", "Merge on "}) {
    for (auto at = plan.find(write); at != std::string::npos; at = plan.find(write, at + 1)) {
      const auto table = at + write.size();
      written.insert(plan.substr(table, plan.find_first_of(" \n", table) - table));
    }
  }
  EXPECT_EQ(written, (std::set<std::string>{"event_log", "numbers", "users", "verifications"}))
      << plan;
}

TEST_F(StatementsTest, DB1_NoneOfAServiceIsAllowedToTheRelay) {
  for (auto statement : AllStatements()) {
    if (statement.role.empty() || statement.role == "countersign_relay") continue;
    statement.role = "countersign_relay";
    auto db = Connect(statement);
    try {
      static_cast<void>(Explain(db, statement));
      ADD_FAILURE() << statement.file << " is allowed";
    } catch (const pg::Refused& fault) {
      EXPECT_EQ(fault.sqlstate(), "42501") << statement.file;
    }
  }
}

}  // namespace
}  // namespace countersign
