#pragma once
// A YAML file as a JSON value, for declarations that are no service configuration
// (deploy/topics.yaml).
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace countersign::config {

// Every scalar comes as a string as it is written, an empty one as null. Throws config::Fault, with
// file and line, if it cannot be read, is no YAML, or names a key twice.
[[nodiscard]] nlohmann::json ReadDocument(const std::filesystem::path& file);

}  // namespace countersign::config
