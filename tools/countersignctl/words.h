#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace countersign::ctl {

// "a,b" as a, b; without empty ones.
[[nodiscard]] inline std::vector<std::string> SplitAtCommas(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto part = text.substr(0, text.find(','));
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(part.size() + 1, text.size()));
  }
  return parts;
}

}  // namespace countersign::ctl
