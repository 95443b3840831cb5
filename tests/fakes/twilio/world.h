#pragma once
// What all parts of the fake share: its clock, its dice, what phones show and what was processed.
// One thread, no locks.
#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libs/core/clock.h"
#include "tests/fakes/twilio/exchange.h"

namespace countersign::twilio_fake {

// Real time plus an offset that tests move.
class MovableClock final : public Clock {
 public:
  [[nodiscard]] Instant Now() const override { return system_.Now() + offset_; }
  void Move(std::chrono::microseconds by) { offset_ += by; }
  void Reset() { offset_ = {}; }

 private:
  SystemClock system_;
  std::chrono::microseconds offset_{0};
};

// "2015-07-30T20:00:00Z", as Verify writes dates.
[[nodiscard]] std::string ToIso8601(Instant instant);
// "Thu, 24 Aug 2023 05:01:45 +0000", as Messages do.
[[nodiscard]] std::string ToRfc2822(Instant instant);

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  // Prefix and 32 hexadecimal digits.
  [[nodiscard]] std::string Sid(std::string_view prefix);
  [[nodiscard]] std::string Digits(int count);

 private:
  std::mt19937_64 engine_;
};

// One message that reached a phone; also one line of the ledger of processed sends.
struct Delivery {
  std::string operation;
  std::string to;
  std::string channel;
  std::string text;
  std::string code;
  std::string sid;          // VE… or SM…
  std::string attempt_sid;  // VL…, empty for Messages
  std::string service_sid;  // VA…, empty for Messages
  std::string attempt_id;   // the client's own id: Tags.aid, aid of StatusCallback or X-Request-Id
  std::string traceparent;
  std::string validity;  // seconds, as the client asked; empty for the default
  Instant received_at{};
};

// The client's own id of this send.
[[nodiscard]] std::string AttemptId(const Call& call);

class Phones {
 public:
  void Deliver(Delivery delivery);
  // What the phone shows, oldest first; every phone for an empty `to`.
  [[nodiscard]] nlohmann::json Messages(std::string_view to) const;
  // Processed sends from the given position on, in order, without texts and codes.
  [[nodiscard]] nlohmann::json Ledger(std::size_t from, std::string_view to) const;
  [[nodiscard]] std::size_t Count() const { return deliveries_.size(); }
  void Clear();

 private:
  std::vector<Delivery> deliveries_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_phone_;
};

}  // namespace countersign::twilio_fake
