#pragma once
// Verify v2: a verification is keyed by (service, To), lives ten minutes, repeats its code and its
// sid while it is pending, takes five sends and five checks, and is gone after approval.
#include <chrono>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/fakes/twilio/exchange.h"
#include "tests/fakes/twilio/world.h"

namespace countersign::twilio_fake {

struct VerifySettings {
  std::string account_sid;
  std::vector<std::string> service_sids;
  std::string base_url;  // for the `url` properties
  int code_length = 6;
  bool custom_codes = false;
  std::chrono::seconds life{600};
  std::chrono::milliseconds index_lag{0};  // until /v2/Attempts shows an attempt
};

class Verify {
 public:
  Verify(VerifySettings settings, const Clock& clock, Dice& dice, Phones& phones);

  [[nodiscard]] Reply FetchService(const std::string& service);
  [[nodiscard]] Reply Create(const std::string& service, const Call& call);
  // `which` is a sid or the To of a pending verification.
  [[nodiscard]] Reply Fetch(const std::string& service, const std::string& which);
  [[nodiscard]] Reply Update(const std::string& service, const std::string& which,
                             const Call& call);
  [[nodiscard]] Reply Check(const std::string& service, const Call& call);
  [[nodiscard]] Reply ListAttempts(const Call& call) const;
  void Clear();

 private:
  struct Attempt {
    std::string sid;
    std::string channel;
    Instant at{};
  };
  struct Verification {
    std::string sid;
    std::string service;
    std::string to;
    std::string channel;
    std::string code;
    std::string status = "pending";
    Instant created{};
    Instant updated{};
    Instant expires{};
    int checks = 0;
    std::vector<Attempt> attempts{};
  };

  [[nodiscard]] bool Serves(const std::string& service) const;
  // Null if there is none or it expired.
  [[nodiscard]] Verification* Pending(const std::string& service, const std::string& to);
  [[nodiscard]] Verification* Lookup(const std::string& service, const std::string& which);
  [[nodiscard]] Verification& Open(const std::string& service, const Call& call);
  void Close(Verification& verification, std::string status);
  void Deliver(const Verification& verification, const Call& call);
  [[nodiscard]] nlohmann::json Show(const Verification& verification) const;
  [[nodiscard]] nlohmann::json ShowAttempt(const Verification& verification,
                                           const Attempt& attempt) const;

  VerifySettings settings_;
  const Clock& clock_;
  Dice& dice_;
  Phones& phones_;
  std::unordered_map<std::string, Verification> by_sid_;
  std::unordered_map<std::string, std::string> open_;  // service and To -> sid
  std::unordered_map<std::string, std::vector<std::string>> by_phone_;
};

}  // namespace countersign::twilio_fake
