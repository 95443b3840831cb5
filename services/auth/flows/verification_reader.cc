#include "services/auth/flows/verification_reader.h"

#include <utility>

namespace countersign::auth {

VerificationReader::Work ReadWork() {
  using Known = std::optional<store::KnownVerification>;
  return {.statement = [](pg::Connection& connection, std::span<const Hash> batch) {
    std::vector<pg::Outcome<Known>> outcomes;
    outcomes.reserve(batch.size());
    for (Known& known : store::ReadVerifications(connection, batch))
      outcomes.emplace_back(Result<Known>(std::move(known)));
    return outcomes;
  }};
}

}  // namespace countersign::auth
