#include "services/auth/flows/introspect_token.h"

#include <utility>

#include "libs/jose/jws.h"

namespace countersign::auth {

SessionReader::Work SessionReadWork() {
  using State = std::optional<SessionState>;
  return {.statement = [](pg::Connection& connection, std::span<const SessionId> batch) {
    std::vector<pg::Outcome<State>> outcomes;
    outcomes.reserve(batch.size());
    for (State& state : store::ReadSessions(connection, batch))
      outcomes.emplace_back(Result<State>(std::move(state)));
    return outcomes;
  }};
}

void IntrospectTokenFlow::Run(const rpc::CallContext& call, std::string_view token,
                              Answer<std::optional<IntrospectedToken>> answer) {
  if (token.empty() || token.size() > jose::kMaxTokenBytes)
    return answer(Fail(reasons::kFieldInvalid,
                       {.field = "token", .detail = "must have 1 to 8192 characters"}));
  auto verified = parts_.verifier.Authenticate(token);
  if (!verified) return answer(std::optional<IntrospectedToken>());

  const SessionId session_id = (*verified)->claims.session_id;
  parts_.reader.Submit({}, session_id, call.deadline,
                       [this, verified = *std::move(verified), answer = std::move(answer)](
                           const Result<std::optional<SessionState>>& read) {
                         if (!read) return answer(Fail(read.error()));
                         const std::optional<SessionState>& session = *read;
                         if (!session || RefusalOf(*session, verified->claims.user_id) ||
                             parts_.verifier.RefusalByTime(*verified, session->read_at))
                           return answer(std::optional<IntrospectedToken>());
                         answer(std::optional(IntrospectedToken{verified->claims, session->role}));
                       });
}

}  // namespace countersign::auth
