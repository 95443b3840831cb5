#include "libs/core/version.h"

#include "commit.h"

namespace countersign {

std::string_view Version() { return COUNTERSIGN_VERSION; }
std::string_view Commit() { return kCommit; }

}  // namespace countersign
