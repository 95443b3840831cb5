#include <fmt/ostream.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/countersignctl/command.h"
#include "tools/countersignctl/database.h"
#include "tools/countersignctl/ledger.h"
#include "tools/countersignctl/migration.h"

namespace countersign::ctl {
namespace {

constexpr Option kFolder{"dir", "FOLDER", "migrations (default: those of this release)"};

// One migration as file and as the database has it; at least one of both is there.
struct Standing {
  std::string schema;
  std::string name;
  std::optional<Migration> file;
  std::optional<AppliedMigration> applied;

  [[nodiscard]] std::string_view Word() const {
    if (!applied) return "pending";
    if (!file) return "file missing";
    return file->checksum == applied->checksum ? "applied" : "changed after it was applied";
  }
};

std::vector<Standing> Compare(const std::vector<Migration>& files, Ledger& ledger) {
  std::vector<Standing> standings;
  for (const std::string_view schema : kSchemas) {
    const auto applied = ledger.Applied(schema);
    for (const Migration& file : files) {
      if (file.schema != schema) continue;
      const auto found = std::ranges::find(applied, file.name, &AppliedMigration::name);
      standings.push_back({file.schema, file.name, file,
                           found == applied.end() ? std::nullopt : std::optional(*found)});
    }
    for (const AppliedMigration& row : applied) {
      const bool known = std::ranges::any_of(files, [&](const Migration& file) {
        return file.schema == schema && file.name == row.name;
      });
      if (!known) standings.push_back({std::string(schema), row.name, std::nullopt, row});
    }
  }
  return standings;
}

// Runs a migration's section; what the server refuses is told with the migration's name.
template <typename Section>
void Named(const Standing& one, Section section) {
  try {
    section();
  } catch (const pg::Refused& fault) {
    throw Failure(fmt::format("{}/{}: {}", one.schema, one.name, fault.what()));
  }
}

int Up(const Arguments& arguments, const Streams& streams) {
  const auto files = ReadMigrations(FindShipped(arguments.Text("dir"), "migrations"));
  auto connection = ConnectDatabase(arguments);
  Ledger ledger(connection);
  ledger.Lock();
  const auto standings = Compare(files, ledger);
  for (const Standing& one : standings) {
    // A file missing is the older release beside a newer database: allowed, that is how a rolling
    // upgrade and a rollback look.
    if (one.applied && one.file && one.file->checksum != one.applied->checksum) {
      throw Failure(fmt::format("{}/{} was changed after it was applied; add a new migration",
                                one.schema, one.name));
    }
  }
  int done = 0;
  for (const Standing& one : standings) {
    if (one.applied) continue;
    Named(one, [&] { ledger.Up(*one.file); });
    fmt::print(streams.out, "applied {}/{}\n", one.schema, one.name);
    ++done;
  }
  if (done == 0) fmt::print(streams.out, "nothing to apply\n");
  return kOk;
}

int Down(const Arguments& arguments, const Streams& streams) {
  const auto files = ReadMigrations(FindShipped(arguments.Text("dir"), "migrations"));
  const long steps = arguments.Flag("all") ? 10'000 : arguments.Number("steps", 1, 10'000);
  auto connection = ConnectDatabase(arguments);
  Ledger ledger(connection);
  ledger.Lock();
  auto standings = Compare(files, ledger);
  std::erase_if(standings, [](const Standing& one) { return !one.applied; });
  std::ranges::reverse(standings);
  if (standings.empty()) fmt::print(streams.out, "nothing to take back\n");
  for (std::size_t i = 0; i < standings.size() && i < static_cast<std::size_t>(steps); ++i) {
    const Standing& one = standings[i];
    if (!one.file) {
      throw Failure(fmt::format("{}/{} has no file here: use the release that applied it",
                                one.schema, one.name));
    }
    Named(one, [&] { ledger.Down(*one.file); });
    fmt::print(streams.out, "took back {}/{}\n", one.schema, one.name);
  }
  return kOk;
}

int Status(const Arguments& arguments, const Streams& streams) {
  const auto files = ReadMigrations(FindShipped(arguments.Text("dir"), "migrations"));
  auto connection = ConnectDatabase(arguments);
  Ledger ledger(connection);
  const auto standings = Compare(files, ledger);
  auto list = nlohmann::json::array();
  bool settled = true;
  for (const Standing& one : standings) {
    const std::string when = one.applied ? ToRfc3339(one.applied->applied_at) : "";
    settled = settled && one.Word() == "applied";
    if (arguments.Flag("json")) {
      list.push_back({{"schema", one.schema},
                      {"name", one.name},
                      {"state", one.Word()},
                      {"applied_at", when}});
    } else {
      fmt::print(streams.out, "{:<6} {:<28} {:<10} {}\n", one.schema, one.name, one.Word(), when);
    }
  }
  if (arguments.Flag("json")) fmt::print(streams.out, "{}\n", list.dump(2));
  return settled ? kOk : kDiffers;
}

}  // namespace

std::vector<Command> MigrateCommands() {
  return {
      {.words = "migrate up",
       .positionals = "",
       .summary = "Apply the migrations that the database lacks",
       .details = "Each file is one transaction; schema auth goes first, then otp and relay. Run "
                  "it as the "
                  "owner of the\ndatabase. A second run at the same time waits for the first.",
       .options = {kDatabase, kFolder},
       .run = Up},
      {.words = "migrate down",
       .positionals = "",
       .summary = "Take the last migration back; its data is lost",
       .details = "",
       .options = {kDatabase, kFolder, Option{"steps", "N", "how many", "1"},
                   Option{"all", "", "all of them"}},
       .run = Down},
      {.words = "migrate status",
       .positionals = "",
       .summary = "Show which migrations are applied; exit 3 unless all are",
       .details = "",
       .options = {kDatabase, kFolder, kJson},
       .run = Status},
  };
}

}  // namespace countersign::ctl
