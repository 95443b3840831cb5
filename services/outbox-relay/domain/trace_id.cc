#include "services/outbox-relay/domain/trace_id.h"

#include <algorithm>

#include "libs/core/traceparent.h"

namespace countersign::relay {

std::string TraceId(std::string_view traceparent) {
  const auto trace = ParseTraceparent(traceparent);
  return trace ? TraceIdText(*trace) : std::string();
}

std::string TraceId(const std::vector<Header>& headers) {
  const auto found = std::ranges::find(headers, kTraceparent, &Header::first);
  return found == headers.end() ? std::string() : TraceId(found->second);
}

}  // namespace countersign::relay
