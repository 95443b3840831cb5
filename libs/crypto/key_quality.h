#pragma once
#include "libs/core/hex.h"

namespace countersign::crypto {

// False for what is plainly no key out of a random generator: fewer than half its bytes distinct
// values (all zeros), equal steps (00 01 02 ...), or printable text throughout (an example, a
// password). 32 random bytes are refused less than once in 10^12.
[[nodiscard]] bool LooksRandom(ByteView key);

}  // namespace countersign::crypto
