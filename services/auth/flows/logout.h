#pragma once
#include <string_view>

#include "libs/core/continuation.h"
#include "libs/core/uuid.h"
#include "libs/pg/batcher.h"
#include "libs/rpc/call_context.h"
#include "services/auth/store/sessions.h"
#include "services/auth/tokens/refresh_token.h"
#include "services/auth/tokens/token_verifier.h"

namespace countersign::auth {

// Keyed by session.
using LogoutBatcher = pg::Batcher<store::EndSession, EndVerdict>;

// The statement and look-up of a LogoutBatcher.
[[nodiscard]] LogoutBatcher::Work LogoutWork(const EventKind& logged_out);

// Logout: ends the session of the given refresh token, or else of the bearer access token. Any
// genuine refresh token of the session will do, also a replaced one: ending is all it can do. A
// session that has ended is logged out again without effect. Thread safe.
class LogoutFlow {
 public:
  struct Parts {
    LogoutBatcher& batcher;
    TokenVerifier& verifier;
    RefreshTokenCodec& refresh_tokens;
    UuidV7& ids;
  };
  explicit LogoutFlow(Parts parts) : parts_(parts) {}

  // `refresh_token` as it came in, unchecked; empty: the bearer's session.
  void Run(const rpc::CallContext& call, std::string_view refresh_token, Answer<void> answer);

 private:
  struct Target {
    SessionId session_id;
    std::optional<Instant> token_expires_at;
  };
  [[nodiscard]] Result<Target> TargetOf(const rpc::CallContext& call,
                                        std::string_view refresh_token) const;

  const Parts parts_;
};

}  // namespace countersign::auth
