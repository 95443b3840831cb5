#pragma once
#include <optional>

#include "libs/core/clock.h"
#include "libs/core/hex.h"

namespace countersign::ctl {

// The commit time in a Begin message of pgoutput: 'B', final LSN (8 bytes), microseconds since
// 2000-01-01 (8 bytes, big endian), xid. Empty if it is another message.
// Source: PostgreSQL manual, "Logical Replication Message Formats".
[[nodiscard]] std::optional<Instant> CommitTime(const Bytes& message);

}  // namespace countersign::ctl
