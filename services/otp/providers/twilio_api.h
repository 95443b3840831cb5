#pragma once
// HTTP to Twilio: credentials, forms, time limits, error bodies. Nothing here knows what a
// verification is, and nothing here asks twice.
#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "libs/core/clock.h"
#include "libs/core/deadline.h"
#include "libs/http/client.h"
#include "libs/http/url.h"
#include "services/otp/providers/config.h"
#include "services/otp/providers/provider.h"

namespace countersign::otp::providers {

// An operation of the API, by the operationId of its OpenAPI specification.
struct Operation {
  enum class Host { kVerify, kApi };
  std::string_view name;
  http::Method method;
  Host host;
};

inline constexpr Operation kFetchService{"FetchService", http::Method::kGet,
                                         Operation::Host::kVerify};
inline constexpr Operation kCreateVerification{"CreateVerification", http::Method::kPost,
                                               Operation::Host::kVerify};
inline constexpr Operation kUpdateVerification{"UpdateVerification", http::Method::kPost,
                                               Operation::Host::kVerify};
inline constexpr Operation kCreateVerificationCheck{"CreateVerificationCheck", http::Method::kPost,
                                                    Operation::Host::kVerify};
inline constexpr Operation kListVerificationAttempt{"ListVerificationAttempt", http::Method::kGet,
                                                    Operation::Host::kVerify};
inline constexpr Operation kCreateMessage{"CreateMessage", http::Method::kPost,
                                          Operation::Host::kApi};
inline constexpr Operation kListMessage{"ListMessage", http::Method::kGet, Operation::Host::kApi};
// All that is ever called: what a contract test must cover.
inline constexpr std::array kOperations = {
    &kFetchService,
    &kCreateVerification,
    &kUpdateVerification,
    &kCreateVerificationCheck,
    &kListVerificationAttempt,
    &kCreateMessage,
    &kListMessage,
};

struct Ask {
  const Operation& operation;
  std::string path;           // "/v2/Services/VA…", encoded
  http::FormFields form{};    // the body of a POST, the query of a GET
  std::string traceparent{};  // dropped if it is not valid
  std::string request_id{};
  std::chrono::milliseconds delay{0};
};

struct Answer {
  int status = 0;           // HTTP; 0 if none came
  bool maybe_sent = false;  // false exactly if the request provably never left
  std::string body{};
  int code = 0;  // of an error body, 0 for none
  std::chrono::milliseconds retry_after{0};
  std::string detail{};  // operation and what came of it, fit for a log

  [[nodiscard]] bool Succeeded() const { return status >= 200 && status < 300; }
};

// Thread safe. The destructor answers what is under way.
class TwilioApi {
 public:
  using Done = std::function<void(Answer)>;

  TwilioApi(const TwilioConfig& config, const Clock& clock);

  // Ends at the deadline or after the configured time, whichever is earlier. `done` is called once,
  // on the HTTP client's thread or before this returns.
  void Send(const Ask& ask, Deadline deadline, Done done);
  // The same and waits. Never from a completion.
  [[nodiscard]] Answer SendAndWait(const Ask& ask, Deadline deadline);

 private:
  [[nodiscard]] http::Request ToRequest(const Ask& ask) const;
  [[nodiscard]] Deadline Limit(const Ask& ask, Deadline deadline) const;

  std::string verify_url_;
  std::string api_url_;
  http::BasicCredentials credentials_;
  std::chrono::milliseconds request_timeout_;
  const Clock& clock_;
  http::Client client_;
};

// The outcome of a send whose answer is not a success.
[[nodiscard]] SendOutcome Unsuccessful(const Answer& answer);

// What the first, harmless request of a process tells about the configuration. `subject` is the key
// that names what was asked for, `url` the key of the address.
struct HealthSubject {
  std::string_view subject;
  std::string_view url;
};
[[nodiscard]] Health HealthOf(const Answer& answer, const TwilioConfig& config,
                              const HealthSubject& keys);

}  // namespace countersign::otp::providers
