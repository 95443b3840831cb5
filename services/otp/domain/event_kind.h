#pragma once
#include <string_view>

namespace countersign::otp {

// Where an event goes and what it is called. All of them: events.h.
struct EventKind {
  std::string_view topic;
  std::string_view type;
};

}  // namespace countersign::otp
