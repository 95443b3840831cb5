#include "services/auth/domain/access_token.h"

namespace countersign::auth {

std::string JoinMethods(const std::vector<std::string>& methods) {
  std::string joined;
  for (const std::string& method : methods) {
    if (!joined.empty()) joined += ' ';
    joined += method;
  }
  return joined;
}

std::vector<std::string> SplitMethods(std::string_view methods) {
  std::vector<std::string> split;
  while (!methods.empty()) {
    const std::size_t space = methods.find(' ');
    if (space != 0) split.emplace_back(methods.substr(0, space));
    methods.remove_prefix(space == std::string_view::npos ? methods.size() : space + 1);
  }
  return split;
}

}  // namespace countersign::auth
