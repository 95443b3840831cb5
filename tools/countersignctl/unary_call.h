#pragma once
// One unary gRPC call by path and bytes. The only place of this tool that includes grpcpp.
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace countersign::ctl {

struct Target {
  std::string address;
  std::string tls_ca{};  // empty: plaintext
  std::string tls_certificate{};
  std::string tls_key{};
  std::string tls_server_name{};
};

struct UnaryCall {
  std::string path;
  std::string request;
  std::string token;  // access token; empty: none
  std::chrono::milliseconds limit;
};

// A call that was refused, with the details of google.rpc.
struct Refusal {
  std::string code;  // "UNAUTHENTICATED"
  std::string reason;
  std::string message;
  double retry_after_seconds = 0;
  std::vector<std::pair<std::string, std::string>> fields;
};
[[nodiscard]] std::string ToJson(const Refusal& refusal);

struct CallOutcome {
  std::string response;
  std::optional<Refusal> refusal;
};

[[nodiscard]] CallOutcome CallUnary(const Target& target, const UnaryCall& call);

}  // namespace countersign::ctl
