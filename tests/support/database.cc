#include "tests/support/database.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "libs/core/hex.h"
#include "libs/core/random.h"

namespace countersign::support {
namespace {

constexpr char kVariable[] = "COUNTERSIGN_TEST_DATABASE";

pg::ConnectionSettings ForSetup(const std::string& conninfo) {
  return {.conninfo = Secret<std::string>(conninfo),
          .application_name = "countersign-test-setup",
          .lock_timeout = std::chrono::milliseconds(0),
          .statement_timeout = std::chrono::milliseconds(60'000)};
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

// auth first; each folder in the order of its numbers.
std::vector<std::filesystem::path> Migrations() {
  std::vector<std::filesystem::path> files;
  for (const char* folder : {"migrations/auth", "migrations/otp", "migrations/relay"}) {
    const auto first = static_cast<std::ptrdiff_t>(files.size());
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".sql") files.push_back(entry.path());
    }
    std::sort(files.begin() + first, files.end());
  }
  return files;
}

std::string RandomName() {
  SystemRandom random;
  return fmt::format("countersign_test_{}_{}", getpid(), ToHex(random.Bytes(4)));
}

// The database the tests of this binary share; gtest drops it after the last test.
class SharedDatabase final : public ::testing::Environment {
 public:
  void TearDown() override { database_.reset(); }
  [[nodiscard]] Database& Get() {
    if (!database_) database_ = std::make_unique<Database>(ServerConninfo(), Schema::kMigrated);
    return *database_;
  }

 private:
  std::unique_ptr<Database> database_;
};

SharedDatabase& Shared() {
  // Owned by gtest, which tears environments down in main().
  static auto* shared = new SharedDatabase;
  static const auto* registered = ::testing::AddGlobalTestEnvironment(shared);
  static_cast<void>(registered);
  return *shared;
}
// Before main(), or gtest would not tear it down.
const SharedDatabase& registered = Shared();

}  // namespace

std::string ServerConninfo() {
  const char* conninfo = std::getenv(kVariable);
  return conninfo == nullptr ? "" : conninfo;
}

std::string UpSection(const std::string& migration) {
  constexpr std::string_view kUp = "-- migrate:up";
  const auto up = migration.find(kUp);
  if (up == std::string::npos) throw std::runtime_error("a migration without -- migrate:up");
  const auto down = migration.find("-- migrate:down", up);
  return migration.substr(up, down == std::string::npos ? down : down - up);
}

Database::Database(std::string server_conninfo, Schema schema)
    : server_(std::move(server_conninfo)),
      name_(RandomName()),
      conninfo_(pg::WithKeyword(server_, "dbname", name_)) {
  pg::Connection server(ForSetup(server_));
  // Roles belong to the whole server, so only one binary at a time may migrate.
  server.ExecuteScript("SELECT pg_advisory_lock(hashtext('countersign-test-setup'))");
  server.ExecuteScript("CREATE DATABASE " + name_ + " TEMPLATE template0");
  if (schema == Schema::kEmpty) return;
  try {
    pg::Connection fresh(ForSetup(conninfo_));
    for (const auto& file : Migrations()) fresh.ExecuteScript(UpSection(ReadFile(file)));
  } catch (...) {
    Drop();
    throw;
  }
}

Database::~Database() { Drop(); }

void Database::Drop() {
  try {
    pg::Connection(ForSetup(server_)).ExecuteScript("DROP DATABASE " + name_ + " WITH (FORCE)");
  } catch (const pg::Fault& fault) {
    fmt::print(stderr, "{} is left behind: {}\n", name_, fault.what());
  }
}

void PgTest::SetUp() {
  static_cast<void>(registered);
  if (!ServerConninfo().empty()) return;
  const char* ci = std::getenv("CI");
  ASSERT_FALSE(ci != nullptr && std::string_view(ci) == "true") << kVariable << " is not set";
  GTEST_SKIP() << kVariable << " is not set";
}

pg::ConnectionSettings PgTest::Settings(const std::string& role) {
  auto conninfo = Conninfo();
  if (!role.empty()) conninfo = pg::WithKeyword(conninfo, "options", "-c role=" + role);
  return {.conninfo = Secret<std::string>(conninfo), .application_name = "countersign-test"};
}

std::string PgTest::Conninfo() { return Shared().Get().conninfo(); }

}  // namespace countersign::support
