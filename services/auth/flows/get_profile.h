#pragma once
#include <optional>
#include <string_view>

#include "libs/core/continuation.h"
#include "libs/pg/batcher.h"
#include "libs/rpc/call_context.h"
#include "services/auth/domain/account.h"
#include "services/auth/store/sessions.h"
#include "services/auth/tokens/token_verifier.h"

namespace countersign::auth {

// Empty: there is no such session.
using ProfileReader = pg::Batcher<store::WantedProfile, std::optional<store::FoundProfile>>;

[[nodiscard]] ProfileReader::Work ProfileReadWork();

// GetProfile: the bearer's own account, or for an admin anybody's. Session, account and role are
// read in the statement that reads the profile. Thread safe.
class GetProfileFlow {
 public:
  struct Parts {
    ProfileReader& reader;
    TokenVerifier& verifier;
  };
  explicit GetProfileFlow(Parts parts) : parts_(parts) {}

  // `user_id` as it came in, unchecked; empty: the bearer's own.
  void Run(const rpc::CallContext& call, std::string_view user_id, Answer<Profile> answer);

 private:
  [[nodiscard]] Result<Profile> Decide(const VerifiedTokens::Entry& token,
                                       std::optional<store::FoundProfile> found) const;

  const Parts parts_;
};

}  // namespace countersign::auth
