#pragma once
// The trace of an event, as the other services log it, so that one search finds all lines of a
// request.
#include <string>
#include <string_view>
#include <vector>

#include "services/outbox-relay/domain/outbox_row.h"

namespace countersign::relay {

inline constexpr std::string_view kTraceparent = "traceparent";

// Of the value of that header; empty if it is no traceparent.
[[nodiscard]] std::string TraceId(std::string_view traceparent);
// Empty if the event has none.
[[nodiscard]] std::string TraceId(const std::vector<Header>& headers);

}  // namespace countersign::relay
