#include "services/outbox-relay/domain/seen_events.h"

#include <algorithm>

namespace countersign::relay {

void SeenEvents::Sort() {
  std::ranges::sort(events_);
  // clang 14 cannot instantiate std::ranges::unique of this standard library.
  events_.erase(std::unique(events_.begin(), events_.end()), events_.end());
}

void SeenEvents::Merge(SeenEvents others) {
  events_.insert(events_.end(), others.events_.begin(), others.events_.end());
  Sort();
}

bool SeenEvents::Contains(const Uuid& event) const {
  return std::ranges::binary_search(events_, event);
}

}  // namespace countersign::relay
