#pragma once
// Migration files: migrations/<schema>/<NNNN_name>.sql with a section `-- migrate:up` and one
// `-- migrate:down`.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace countersign::ctl {

struct Migration {
  std::string schema;    // "auth"
  std::string name;      // "0001_event_log"
  std::string up;        // SQL
  std::string down;      // SQL
  std::string checksum;  // SHA-256 of the up section, hex
};

// The schemas in the order their migrations run; taken back in the reverse order.
inline constexpr std::string_view kSchemas[] = {"auth", "otp", "relay"};

// Splits a file. Throws Failure if a section is missing, twice or empty.
[[nodiscard]] Migration ParseMigration(std::string_view schema, std::string_view name,
                                       std::string_view text);

// All migrations below `root` in the order they run. Throws Failure if the folder is not one of
// migrations.
[[nodiscard]] std::vector<Migration> ReadMigrations(const std::filesystem::path& root);

// A file or folder that comes with the release, relative to the source tree or to the installed
// share folder: `given` if not empty, else ./name, else beside the binary. Throws Failure.
[[nodiscard]] std::filesystem::path FindShipped(const std::string& given, const std::string& name);

}  // namespace countersign::ctl
