#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "libs/core/continuation.h"
#include "libs/pg/batcher.h"
#include "libs/rpc/call_context.h"
#include "services/auth/store/sessions.h"
#include "services/auth/tokens/token_verifier.h"

namespace countersign::auth {

// Empty: there is no such session.
using SessionReader = pg::Batcher<SessionId, std::optional<SessionState>>;

[[nodiscard]] SessionReader::Work SessionReadWork();

struct IntrospectedToken {
  AccessTokenClaims claims;
  std::string role;  // of the account now
};

// IntrospectToken: whether an access token is good now. The signature may be remembered; session
// and account are read from the database at every call, and its time decides about expiry. Thread
// safe.
class IntrospectTokenFlow {
 public:
  struct Parts {
    SessionReader& reader;
    TokenVerifier& verifier;
  };
  explicit IntrospectTokenFlow(Parts parts) : parts_(parts) {}

  // An empty answer: not active, whatever the cause. An error: nothing is known. `token` as it came
  // in, unchecked.
  void Run(const rpc::CallContext& call, std::string_view token,
           Answer<std::optional<IntrospectedToken>> answer);

 private:
  const Parts parts_;
};

}  // namespace countersign::auth
