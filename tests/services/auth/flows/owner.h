#pragma once
#include "tests/support/owner.h"

namespace countersign::auth {

using support::Owner;

}  // namespace countersign::auth
