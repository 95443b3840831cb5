#pragma once
#include <chrono>

namespace countersign::auth {

// How long a session and what it hands out last. Checked at start: access < idle <= absolute,
// grace <= 10 s.
struct SessionTerms {
  std::chrono::seconds access_token{std::chrono::minutes(15)};
  std::chrono::seconds idle{std::chrono::hours(24 * 14)};      // from the last refresh
  std::chrono::seconds absolute{std::chrono::hours(24 * 30)};  // from the login
  // For this long after a rotation the replaced refresh token gets the same child again: an answer
  // may be lost on its way.
  std::chrono::seconds refresh_grace{10};
};

}  // namespace countersign::auth
