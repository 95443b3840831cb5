#pragma once
#include <optional>
#include <string>

namespace countersign::config {

// Why a file is not fit to hold a secret, or empty: it must be a regular file, owned by us or root,
// and readable by no one else, except that a file of root's may be readable by its group (how
// orchestrators mount secrets).
[[nodiscard]] std::optional<std::string> SecretFileFault(const std::string& path);

}  // namespace countersign::config
