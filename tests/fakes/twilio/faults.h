#pragma once
// Rules that make calls fail in a chosen way. README.md beside this file describes their JSON.
#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fakes/twilio/exchange.h"

namespace countersign::twilio_fake {

enum class Moment { kNever, kBefore, kAfter };  // relative to the effect of the call

struct Fault {
  std::chrono::milliseconds latency{0};        // before the effect
  std::chrono::milliseconds latency_after{0};  // between the effect and the answer
  Moment answer_with = Moment::kNever;         // `status` and `code` instead of the real answer
  int status = 0;
  int code = 0;
  std::string retry_after;
  Fields headers;                       // added to the answer
  Moment drop = Moment::kNever;         // close the connection without an answer
  bool reset = true;                    // by RST, else by FIN
  bool keep_open_lie = false;           // answer, then close without having said so
  std::chrono::milliseconds refuse{0};  // after the drop: accept no connection for so long
  std::string body;                     // "", "html", "empty", "truncated"
  bool malformed_sid = false;
};

class Faults {
 public:
  // Adds a rule or a list of rules and returns their ids. Throws std::invalid_argument with what is
  // wrong for a field that is unknown or has a wrong value.
  nlohmann::json Add(const nlohmann::json& rules);
  [[nodiscard]] nlohmann::json List() const;
  void Clear() { rules_.clear(); }

  // The first rule that applies to the call; it counts as used.
  [[nodiscard]] std::optional<Fault> Match(std::string_view operation, std::string_view to);

 private:
  struct Rule {
    int id = 0;
    std::string operation = "*";
    std::string to = "*";
    std::int64_t skip = 0;    // let so many matching calls pass first
    std::int64_t count = -1;  // then apply so often; -1 for ever
    double probability = 1.0;
    std::mt19937_64 dice{1};
    Fault fault;
    nlohmann::json text;
    std::int64_t seen = 0;
    std::int64_t used = 0;
  };
  [[nodiscard]] static Rule Parse(const nlohmann::json& text);

  std::vector<Rule> rules_;
  int last_id_ = 0;
};

// The reply as the fault wants it to look.
[[nodiscard]] Reply Spoil(const Fault& fault, Reply reply);

}  // namespace countersign::twilio_fake
