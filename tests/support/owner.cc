#include "tests/support/owner.h"

namespace countersign::support {

pg::Query Owner::Named(std::string_view sql) {
  auto found = names_.find(sql);
  if (found == names_.end())
    found = names_.emplace(std::string(sql), "owner_" + std::to_string(names_.size())).first;
  return {found->second, found->first};
}

}  // namespace countersign::support
