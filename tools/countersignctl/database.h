#pragma once
#include "libs/pg/connection.h"
#include "tools/countersignctl/command.h"

namespace countersign::ctl {

inline constexpr Option kDatabase{"database-url", "URL", "libpq connection string", "",
                                  "DATABASE_URL"};

// The database of --database-url, with no limit on statements and 10 s on locks. Plaintext off
// loopback is a Failure.
[[nodiscard]] pg::Connection ConnectDatabase(const Arguments& arguments);

}  // namespace countersign::ctl
