#pragma once
#include <string_view>

namespace countersign::auth {

// Whether `code` is an officially assigned ISO 3166-1 alpha-2 code, in capitals.
[[nodiscard]] bool IsCountry(std::string_view code);

}  // namespace countersign::auth
