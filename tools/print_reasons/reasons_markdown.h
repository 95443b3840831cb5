#pragma once
#include <string>

namespace countersign {

// docs/errors.md: every reason with its gRPC code, meaning and what the client does.
[[nodiscard]] std::string ReasonsMarkdown();

}  // namespace countersign
