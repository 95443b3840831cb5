#pragma once
#include "libs/core/uuid.h"

namespace countersign::auth {

using UserId = Id<struct UserTag>;
using SessionId = Id<struct SessionTag>;

}  // namespace countersign::auth
