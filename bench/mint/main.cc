// countersign-mint: access tokens for sessions that a benchmark loaded by COPY. Reads lines
// "user-id session-id", prints a token for each, signed with the current key of the given ring.
#include <iostream>
#include <string>

#include "libs/core/clock.h"
#include "libs/core/random.h"
#include "libs/keystore/key_ring.h"
#include "services/auth/tokens/access_token_issuer.h"

namespace countersign::bench {
namespace {

int Run(const std::string& directory, const std::string& issuer, const std::string& audience) {
  const SystemClock clock;
  SystemRandom random;
  keystore::SigningRing ring(directory, keystore::CurrentKey::kGreatestId, clock);
  auth::SigningKeys keys(ring);
  auth::LocalIssuer local(
      {.issuer = issuer, .audiences = {audience}, .lifetime = std::chrono::hours(1)}, keys, random);
  std::string user;
  std::string session;
  while (std::cin >> user >> session) {
    const auto user_id = ParseUuid(user);
    const auto session_id = ParseUuid(session);
    if (!user_id || !session_id) return 1;
    const auth::AccessGrant grant{.user_id = {*user_id},
                                  .session_id = {*session_id},
                                  .client_id = "bench",
                                  .methods = {"otp", "sms"},
                                  .role = "user",
                                  .issued_at = clock.Now(),
                                  .session_expires_at = clock.Now() + std::chrono::hours(24)};
    local.Issue(grant, [](const Result<auth::IssuedAccessToken>& issued) {
      if (issued) std::cout << issued->token.Reveal() << '\n';
    });
  }
  return 0;
}

}  // namespace
}  // namespace countersign::bench

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: countersign-mint SIGNING_KEY_FOLDER ISSUER AUDIENCE <pairs >tokens\n";
    return 2;
  }
  return countersign::bench::Run(argv[1], argv[2], argv[3]);
}
