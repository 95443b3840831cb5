#pragma once
// Keys, an issuer and the parts of a grant, for tests of tokens.
#include <optional>
#include <string>

#include "services/auth/tokens/access_token_issuer.h"
#include "services/auth/tokens/signing_keys.h"
#include "tests/support/keys/keys.h"

namespace countersign::auth {

inline constexpr Instant kNow{std::chrono::seconds(1'795'500'000)};
inline const std::string kIssuer = "https://auth.example.com";
inline const std::string kAudience = "fleet";

struct Issued {
  test::FixedClock clock{kNow};
  SystemRandom random;
  test::KeyFolder folder{clock};
  keystore::SigningRing ring{folder.Ring(keystore::kSigningRing),
                             keystore::CurrentKey::kGreatestId,
                             clock,
                             {.at_most_every = std::chrono::milliseconds(0),
                              .at_least_every = std::chrono::milliseconds(0)}};
  SigningKeys keys{ring};
  LocalIssuer issuer{
      {.issuer = kIssuer, .audiences = {kAudience}, .lifetime = std::chrono::minutes(15)},
      keys,
      random};

  [[nodiscard]] AccessGrant Grant() {
    return {.user_id = UserId{RandomUuid(random)},
            .session_id = SessionId{RandomUuid(random)},
            .client_id = "app",
            .methods = {"otp", "sms"},
            .role = "user",
            .issued_at = kNow,
            .session_expires_at = kNow + std::chrono::hours(24)};
  }
  [[nodiscard]] IssuedAccessToken Issue(const AccessGrant& grant) {
    std::optional<IssuedAccessToken> issued;
    issuer.Issue(grant, [&](Result<IssuedAccessToken> result) { issued = std::move(*result); });
    return std::move(*issued);
  }
  [[nodiscard]] std::string Token() { return Issue(Grant()).token.Reveal(); }
};

}  // namespace countersign::auth
