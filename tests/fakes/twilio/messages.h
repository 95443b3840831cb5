#pragma once
// Messages of API 2010-04-01. A message keeps its first status; nothing moves on a timer.
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/fakes/twilio/exchange.h"
#include "tests/fakes/twilio/world.h"

namespace countersign::twilio_fake {

class Messages {
 public:
  Messages(std::string account_sid, const Clock& clock, Dice& dice, Phones& phones)
      : account_sid_(std::move(account_sid)), clock_(clock), dice_(dice), phones_(phones) {}

  [[nodiscard]] Reply Create(const Call& call);
  [[nodiscard]] Reply Fetch(const std::string& sid, const Call& call) const;
  [[nodiscard]] Reply List(const Call& call) const;
  void Clear();

 private:
  struct Message {
    std::string sid;
    std::string to;
    std::string from;
    std::string service;
    std::string body;
    Instant created{};
  };
  [[nodiscard]] nlohmann::json Show(const Message& message) const;

  std::string account_sid_;
  const Clock& clock_;
  Dice& dice_;
  Phones& phones_;
  std::vector<Message> messages_;
  std::unordered_map<std::string, std::size_t> by_sid_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_phone_;
};

}  // namespace countersign::twilio_fake
