#pragma once
#include <string_view>

#include "libs/core/continuation.h"
#include "libs/core/uuid.h"
#include "libs/pg/batcher.h"
#include "libs/rpc/call_context.h"
#include "services/auth/domain/session_tokens.h"
#include "services/auth/store/sessions.h"
#include "services/auth/tokens/access_token_issuer.h"
#include "services/auth/tokens/refresh_token.h"

namespace countersign::auth {

// Keyed by session.
using RefreshBatcher = pg::Batcher<store::RefreshSession, store::RefreshedSession>;

// The statement and look-up of a RefreshBatcher.
[[nodiscard]] RefreshBatcher::Work RefreshWork(const store::RefreshTerms& terms);

// RefreshToken: trades a refresh token for its one child and a new access token. Whoever comes
// first rotates; a repeat within the grace gets the same child, because it is made anew from the
// session and the counter and kept nowhere. A use after that ends the session (RFC 9700
// section 4.14.2). Thread safe.
class RefreshTokenFlow {
 public:
  struct Parts {
    RefreshBatcher& batcher;
    AccessTokenIssuer& issuer;
    RefreshTokenCodec& refresh_tokens;
    UuidV7& ids;
  };
  explicit RefreshTokenFlow(Parts parts) : parts_(parts) {}

  // `refresh_token` as it came in, unchecked.
  void Run(const rpc::CallContext& call, std::string_view refresh_token,
           Answer<SessionTokens> answer);

 private:
  void Finish(const SessionId& session_id, const store::RefreshedSession& refreshed,
              const Answer<SessionTokens>& answer);

  const Parts parts_;
};

}  // namespace countersign::auth
