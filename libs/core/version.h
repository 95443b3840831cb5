#pragma once
#include <string_view>

namespace countersign {

// "0.1.0", from the file VERSION; semantic versioning.
[[nodiscard]] std::string_view Version();
// Short commit the binary was built from, "unknown" outside a checkout.
[[nodiscard]] std::string_view Commit();

}  // namespace countersign
