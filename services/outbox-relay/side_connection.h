#pragma once
// Connections beside the stream.
#include <string>

#include "libs/pg/conninfo.h"

namespace countersign::relay {

// The relay's database for short questions: whoever asks waits for two seconds at most. `purpose`
// is seen in pg_stat_activity.
[[nodiscard]] pg::ConnectionSettings BesideTheStream(pg::ConnectionSettings database,
                                                     const std::string& purpose);

}  // namespace countersign::relay
