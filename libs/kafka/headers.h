#pragma once
#include <string_view>

#include "libs/kafka/handles.h"

namespace countersign::kafka {

// The headers of one record, in order; names may repeat. Handed over to Producer::Produce.
class Headers {
 public:
  explicit Headers(std::size_t expected = 16);
  void Add(std::string_view name, std::string_view value);

 private:
  friend class Producer;
  HeadersHandle handle_;
};

}  // namespace countersign::kafka
