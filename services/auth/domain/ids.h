#pragma once
#include "libs/core/uuid.h"

namespace countersign::auth {

// A person and a session are never taken for each other.
using UserId = Id<struct UserTag>;
using SessionId = Id<struct SessionTag>;

}  // namespace countersign::auth
