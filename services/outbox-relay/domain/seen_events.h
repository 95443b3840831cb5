#pragma once
// The events that Kafka had already when the stream was resumed: 16 bytes each.
#include <cstddef>
#include <vector>

#include "libs/core/uuid.h"

namespace countersign::relay {

class SeenEvents {
 public:
  void Add(const Uuid& event) { events_.push_back(event); }
  // Before the first Contains, and after every further Add.
  void Sort();
  // Sorted afterwards.
  void Merge(SeenEvents others);
  [[nodiscard]] bool Contains(const Uuid& event) const;
  [[nodiscard]] std::size_t size() const { return events_.size(); }

 private:
  std::vector<Uuid> events_;
};

}  // namespace countersign::relay
