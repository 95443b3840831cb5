#pragma once
// What a simulated client does again and again.
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace countersign::bench {

// Called once per issue; an empty text is success, anything else names the refusal.
using Done = std::function<void(std::string outcome)>;

class Scenario {
 public:
  virtual ~Scenario() = default;
  // Starts one operation and returns at once; `sequence` is unique over the run. Thread safe.
  virtual void Issue(std::uint64_t sequence, Done done) = 0;
};

struct Target {
  std::string address;
  int channels = 4;
};

// Plaintext channels that do not share a connection.
[[nodiscard]] std::vector<std::shared_ptr<grpc::Channel>> Connect(const Target& target);

// Short name of a failed status: the reason of google.rpc.ErrorInfo, else the code's number.
[[nodiscard]] std::string OutcomeOf(const grpc::Status& status);

// New numbers from +49151<first>, each used once.
[[nodiscard]] std::unique_ptr<Scenario> MakeSignup(const Target& target,
                                                   std::uint64_t first_number);
// LoginWithPhoneNumber then ValidatePhoneNumberLogin with code 123456; one operation is the pair.
[[nodiscard]] std::unique_ptr<Scenario> MakeLogin(const Target& target, std::uint64_t first_number,
                                                  std::uint64_t numbers);
// IntrospectToken over the tokens in turn.
[[nodiscard]] std::unique_ptr<Scenario> MakeIntrospect(const Target& target,
                                                       std::vector<std::string> tokens);
// grpc.health.v1.Health/Check: the price of an empty unary call on the same server.
[[nodiscard]] std::unique_ptr<Scenario> MakeEmpty(const Target& target);

}  // namespace countersign::bench
