#pragma once
#include <string>
#include <string_view>

namespace countersign::kafka {

// Why an operator may not give the client library this property or this value of it, in words that
// name the property and not the value; empty if nothing speaks against it. What is said about a
// promise is what would be lost.
[[nodiscard]] std::string WhyRefused(std::string_view property, std::string_view value);

}  // namespace countersign::kafka
