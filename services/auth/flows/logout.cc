#include "services/auth/flows/logout.h"

#include <utility>

#include "services/auth/events.h"

namespace countersign::auth {

LogoutBatcher::Work LogoutWork(const EventKind& logged_out) {
  using Batch = std::span<const store::EndSession>;
  return {.statement =
              [logged_out](pg::Connection& connection, Batch batch) {
                std::vector<pg::Outcome<EndVerdict>> outcomes;
                outcomes.reserve(batch.size());
                for (const EndVerdict verdict : store::EndSessions(connection, batch, logged_out))
                  outcomes.emplace_back(Result<EndVerdict>(verdict));
                return outcomes;
              },
          // Ending twice is ending once.
          .lookup =
              [logged_out](pg::Connection& connection, Batch batch) {
                std::vector<std::optional<Result<EndVerdict>>> found;
                found.reserve(batch.size());
                for (const EndVerdict verdict : store::EndSessions(connection, batch, logged_out))
                  found.emplace_back(verdict);
                return found;
              }};
}

void LogoutFlow::Run(const rpc::CallContext& call, std::string_view refresh_token,
                     Answer<void> answer) {
  const Result<Target> target = TargetOf(call, refresh_token);
  if (!target) return answer(Fail(target.error()));
  std::string key(AsText(target->session_id.value.bytes));
  store::EndSession command{.session_id = target->session_id,
                            .token_expires_at = target->token_expires_at,
                            .event_id = parts_.ids.Next(),
                            .payload = ToJson(LoggedOutEvent{target->session_id}),
                            .headers = EventHeaders(call.traceparent())};
  parts_.batcher.Submit(std::move(key), std::move(command), call.deadline,
                        [answer = std::move(answer)](const Result<EndVerdict>& verdict) {
                          if (!verdict) return answer(Fail(verdict.error()));
                          if (*verdict == EndVerdict::kTokenExpired)
                            return answer(Fail(reasons::kTokenExpired));
                          answer({});
                        });
}

Result<LogoutFlow::Target> LogoutFlow::TargetOf(const rpc::CallContext& call,
                                                std::string_view refresh_token) const {
  if (!refresh_token.empty()) {
    const Result<RefreshPosition> position = parts_.refresh_tokens.Decode(refresh_token);
    if (!position) return Fail(position.error());
    return Target{position->session_id, std::nullopt};
  }
  if (call.bearer.Empty()) return Fail(reasons::kCredentialsMissing);
  const auto token = parts_.verifier.Authenticate(call.bearer.Reveal());
  if (!token) return Fail(token.error());
  return Target{(*token)->claims.session_id, (*token)->claims.expires_at};
}

}  // namespace countersign::auth
