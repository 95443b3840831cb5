#include "tools/countersignctl/migration.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "libs/core/hex.h"
#include "libs/crypto/digest.h"
#include "tools/countersignctl/command.h"

namespace countersign::ctl {
namespace {

constexpr std::string_view kUp = "-- migrate:up\n";
constexpr std::string_view kDown = "-- migrate:down\n";

std::string ReadFile(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in || !text) throw Failure(fmt::format("cannot read {}", file.string()));
  return std::move(text).str();
}

bool OccursOnce(std::string_view text, std::string_view mark) {
  const auto first = text.find(mark);
  return first != std::string_view::npos && text.find(mark, first + 1) == std::string_view::npos;
}

}  // namespace

Migration ParseMigration(std::string_view schema, std::string_view name, std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return Failure(fmt::format("migration {}/{}: {}", schema, name, why));
  };
  if (!text.starts_with(kUp)) throw refuse("the first line must be `-- migrate:up`");
  if (!OccursOnce(text, kUp)) throw refuse("two `-- migrate:up` sections");
  if (!OccursOnce(text, kDown)) throw refuse("exactly one `-- migrate:down` section is needed");
  const auto split = text.find(kDown);
  Migration migration{.schema = std::string(schema),
                      .name = std::string(name),
                      .up = std::string(text.substr(kUp.size(), split - kUp.size())),
                      .down = std::string(text.substr(split + kDown.size())),
                      .checksum = {}};
  const auto blank = [](const std::string& sql) {
    return sql.find_first_not_of(" \n\t") == std::string::npos;
  };
  if (blank(migration.up) || blank(migration.down)) throw refuse("an empty section");
  migration.checksum = ToHex(crypto::Sha256(AsBytes(migration.up)));
  return migration;
}

std::vector<Migration> ReadMigrations(const std::filesystem::path& root) {
  std::vector<Migration> all;
  for (const std::string_view schema : kSchemas) {
    const auto folder = root / schema;
    if (!std::filesystem::is_directory(folder)) {
      throw Failure(fmt::format("no migrations in {}", folder.string()));
    }
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".sql") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    for (const auto& file : files) {
      all.push_back(ParseMigration(schema, file.stem().string(), ReadFile(file)));
    }
  }
  return all;
}

std::filesystem::path FindShipped(const std::string& given, const std::string& name) {
  if (!given.empty()) return given;
  const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  const std::filesystem::path places[] = {name, program / "../share/countersign" / name,
                                          program / "../../.." / name};
  const auto found = std::ranges::find_if(
      places, [](const std::filesystem::path& place) { return std::filesystem::exists(place); });
  if (found == std::end(places)) throw Failure(fmt::format("{} not found; say where it is", name));
  return *found;
}

}  // namespace countersign::ctl
