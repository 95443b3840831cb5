#pragma once
// The command as a person meets it: words in, exit code and two texts out.
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "tools/countersignctl/command.h"

namespace countersign::ctl {

struct Told {
  int exit = -1;
  std::string out;
  std::string err;
};

inline Told RunCtl(const std::vector<std::string>& words,
                   const std::map<std::string, std::string>& environment = {},
                   std::istream* terminal = nullptr) {
  std::ostringstream out;
  std::ostringstream err;
  const int exit =
      Run(words,
          [&](const std::string& name) {
            const auto found = environment.find(name);
            return found == environment.end() ? std::nullopt : std::optional(found->second);
          },
          {out, err, terminal});
  return {exit, out.str(), err.str()};
}

}  // namespace countersign::ctl
