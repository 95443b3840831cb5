#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "tests/fakes/twilio/exchange.h"

namespace countersign::twilio_fake {

// One page of a list, by the call's Page (from 0) and PageSize (50, at most 1000), with the
// addresses of its neighbours relative to the host; null where there is none.
struct Page {
  nlohmann::json rows;
  int number = 0;
  int size = 50;
  std::string first;
  std::string own;
  nlohmann::json previous;
  nlohmann::json next;
};

[[nodiscard]] Page PageOf(const nlohmann::json& all, const Call& call);
// The address with its host in front; null stays null.
[[nodiscard]] nlohmann::json Absolute(const std::string& base_url, const nlohmann::json& address);

}  // namespace countersign::twilio_fake
