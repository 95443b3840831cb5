#include "services/auth/flows/get_profile.h"

#include <utility>

namespace countersign::auth {

ProfileReader::Work ProfileReadWork() {
  using Found = std::optional<store::FoundProfile>;
  return {.statement = [](pg::Connection& connection, std::span<const store::WantedProfile> batch) {
    std::vector<pg::Outcome<Found>> outcomes;
    outcomes.reserve(batch.size());
    for (Found& found : store::ReadProfiles(connection, batch))
      outcomes.emplace_back(Result<Found>(std::move(found)));
    return outcomes;
  }};
}

void GetProfileFlow::Run(const rpc::CallContext& call, std::string_view user_id,
                         Answer<Profile> answer) {
  if (call.bearer.Empty()) return answer(Fail(reasons::kCredentialsMissing));
  const std::optional<Uuid> wanted = ParseUuid(user_id);
  if (!user_id.empty() && !wanted)
    return answer(Fail(reasons::kFieldInvalid, {.field = "user_id", .detail = "must be a UUID"}));
  auto token = parts_.verifier.Authenticate(call.bearer.Reveal());
  if (!token) return answer(Fail(std::move(token.error())));

  store::WantedProfile query{(*token)->claims.session_id, std::nullopt};
  if (wanted) query.user_id = UserId{*wanted};
  parts_.reader.Submit({}, query, call.deadline,
                       [this, token = *std::move(token), answer = std::move(answer)](
                           Result<std::optional<store::FoundProfile>> read) {
                         if (!read) return answer(Fail(std::move(read.error())));
                         answer(Decide(*token, *std::move(read)));
                       });
}

Result<Profile> GetProfileFlow::Decide(const VerifiedTokens::Entry& token,
                                       std::optional<store::FoundProfile> found) const {
  if (!found) return Fail(reasons::kSessionEnded);
  const SessionState& caller = found->caller;
  if (const Reason* refusal = parts_.verifier.RefusalByTime(token, caller.read_at))
    return Fail(*refusal);
  if (const Reason* refusal = RefusalOf(caller, token.claims.user_id)) return Fail(*refusal);
  // Whether a stranger's account exists is for admins only to learn.
  const bool is_own = found->profile && found->profile->user_id == caller.user_id;
  if (!is_own && caller.role != kAdminRole) return Fail(reasons::kCallerNotAllowed);
  if (!found->profile) return Fail(reasons::kAccountNotFound);
  return *std::move(found->profile);
}

}  // namespace countersign::auth
