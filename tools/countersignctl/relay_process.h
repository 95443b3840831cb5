#pragma once
// The admin socket of a relay, as its client.
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "tools/countersignctl/arguments.h"

namespace countersign::ctl {

inline constexpr Option kRelaySocket{"socket", "PATH", "admin.socket of the relay", "",
                                     "RELAY_ADMIN_SOCKET"};

// Nobody answers at the socket, or not to this user: exit 69.
class RelayAway final : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class RelayProcess {
 public:
  explicit RelayProcess(std::string socket) : socket_(std::move(socket)) {}

  // What it says of itself. Throws RelayAway.
  [[nodiscard]] nlohmann::json Status() const { return Ask("GET", "/status"); }
  // As Status, after the verb; throws Failure with its words if it refuses.
  nlohmann::json Tell(const std::string& verb) const { return Ask("POST", "/" + verb); }

 private:
  [[nodiscard]] nlohmann::json Ask(const std::string& method, const std::string& path) const;

  std::string socket_;
};

}  // namespace countersign::ctl
