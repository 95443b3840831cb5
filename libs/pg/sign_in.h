#pragma once
#include <chrono>
#include <string>

#include "libs/pg/conninfo.h"

namespace countersign::pg {

// Tries once to sign in, for at most `limit`. Empty if the server lets us in, or if it cannot be
// asked now (away, starting, full); else what only an operator can mend: a wrong password or role,
// no such database, pg_hba.conf, TLS. The text names host, role and SQLSTATE, no secret. For a
// process that starts: it must not start with what will never work, nor wait for what is away.
// Throws std::invalid_argument for a malformed conninfo.
[[nodiscard]] std::string WhyNotLetIn(const ConnectionSettings& settings,
                                      std::chrono::milliseconds limit);

}  // namespace countersign::pg
