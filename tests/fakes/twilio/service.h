#pragma once
// Routes calls to Verify, Messages and the test's own endpoints, and keeps the books of what came.
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "tests/fakes/twilio/faults.h"
#include "tests/fakes/twilio/messages.h"
#include "tests/fakes/twilio/verify.h"
#include "tests/fakes/twilio/world.h"

namespace countersign::twilio_fake {

struct ServiceSettings {
  VerifySettings verify;
  Fields credentials;  // user and password pairs that are let in
  std::chrono::milliseconds latency{0};
  std::uint64_t seed = 0;
  bool refuse_concurrent_creates = true;  // 60212 for a second create of one (service, To)
};

// A call that was recognised. It counts as in flight until it is destroyed.
struct Operation {
  std::string name = "Unknown";  // the operationId of the API's specification
  std::string service;           // VA…
  std::string which;             // sid or To at the end of the path
  std::string account;           // AC…
};

class Service {
 public:
  explicit Service(ServiceSettings settings);

  // Answers /_fake/…; empty for any other path.
  [[nodiscard]] std::optional<Reply> Admin(const Call& call);

  // The three steps of an ordinary call. Begin at its arrival, Perform when its latency is over
  // (this is the effect), End when it was answered or dropped.
  struct Ticket {
    Operation operation;
    std::optional<Fault> fault;
    std::chrono::milliseconds latency{0};
    std::string create_key;  // of a create that is in flight
    bool collided = false;   // with another create in flight
  };
  [[nodiscard]] Ticket Begin(const Call& call);
  [[nodiscard]] Reply Perform(const Ticket& ticket, const Call& call);
  void End(const Ticket& ticket);

 private:
  [[nodiscard]] static Operation Recognise(const Call& call);
  [[nodiscard]] bool IsLetIn(const Call& call) const;
  [[nodiscard]] Reply Dispatch(const Operation& operation, const Call& call);
  [[nodiscard]] Reply MoveClock(const Call& call);
  [[nodiscard]] Reply ShowBooks(const Call& call) const;
  void Reset();
  void Record(const Operation& operation, const Call& call);

  ServiceSettings settings_;
  MovableClock clock_;
  Dice dice_;
  Phones phones_;
  Verify verify_;
  Messages messages_;
  Faults faults_;
  std::unordered_set<std::string> creates_in_flight_;
  std::map<std::string, std::int64_t> calls_;
  std::deque<nlohmann::json> recent_;
  std::int64_t in_flight_ = 0;
  std::int64_t max_in_flight_ = 0;
};

}  // namespace countersign::twilio_fake
