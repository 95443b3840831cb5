#include "services/auth/flows/refresh_token.h"

#include <utility>

#include "libs/core/failpoint.h"
#include "services/auth/events.h"

namespace countersign::auth {

RefreshBatcher::Work RefreshWork(const store::RefreshTerms& terms) {
  using store::RefreshedSession;
  using Batch = std::span<const store::RefreshSession>;
  return {.statement =
              [terms](pg::Connection& connection, Batch batch) {
                std::vector<pg::Outcome<RefreshedSession>> outcomes;
                outcomes.reserve(batch.size());
                for (RefreshedSession& done : store::RefreshSessions(connection, batch, terms))
                  outcomes.emplace_back(Result<RefreshedSession>(std::move(done)));
                return outcomes;
              },
          // The statement itself tells: what the lost one did is a repeat now, what it did not is
          // done. If its backend is still at work, the row lock makes us wait for it.
          .lookup =
              [terms](pg::Connection& connection, Batch batch) {
                std::vector<std::optional<Result<RefreshedSession>>> found;
                found.reserve(batch.size());
                for (RefreshedSession& done : store::RefreshSessions(connection, batch, terms))
                  found.emplace_back(std::move(done));
                return found;
              }};
}

void RefreshTokenFlow::Run(const rpc::CallContext& call, std::string_view refresh_token,
                           Answer<SessionTokens> answer) {
  if (refresh_token.empty())
    return answer(Fail(reasons::kFieldInvalid, {.field = "refresh_token", .detail = "is empty"}));
  auto position = parts_.refresh_tokens.Decode(refresh_token);
  if (!position) return answer(Fail(std::move(position.error())));

  const SessionId session_id = position->session_id;
  std::string key(AsText(session_id.value.bytes));
  store::RefreshSession command{.session_id = session_id,
                                .counter = position->counter,
                                .event_id = parts_.ids.Next(),
                                .refreshed_payload = ToJson(RefreshedEvent{session_id}),
                                .revoked_payload = ToJson(RevokedEvent{session_id}),
                                .headers = EventHeaders(call.traceparent())};
  parts_.batcher.Submit(
      std::move(key), std::move(command), call.deadline,
      [this, session_id, answer = std::move(answer)](Result<store::RefreshedSession> refreshed) {
        if (!refreshed) return answer(Fail(std::move(refreshed.error())));
        Failpoint("auth_after_rotation");
        if (const Reason* refusal = RefusalOf(refreshed->verdict)) return answer(Fail(*refusal));
        RunStep(answer, [&] { Finish(session_id, *refreshed, answer); });
      });
}

void RefreshTokenFlow::Finish(const SessionId& session_id, const store::RefreshedSession& refreshed,
                              const Answer<SessionTokens>& answer) {
  const AccessGrant grant{.user_id = refreshed.user_id,
                          .session_id = session_id,
                          .client_id = refreshed.client_id,
                          .methods = SplitMethods(refreshed.methods),
                          .role = refreshed.role,
                          .issued_at = refreshed.decided_at,
                          .session_expires_at = refreshed.expires_at};
  parts_.issuer.Issue(
      grant, [this, answer, position = RefreshPosition{session_id, refreshed.counter},
              idle_end = refreshed.idle_expires_at](Result<IssuedAccessToken> token) {
        if (!token) return answer(Fail(std::move(token.error())));
        RunStep(answer, [&] {
          answer(SessionTokens{.access_token = std::move(token->token),
                               .access_expires_at = token->expires_at,
                               .refresh_token = parts_.refresh_tokens.Encode(position),
                               .refresh_expires_at = idle_end,
                               .session_id = position.session_id});
        });
      });
}

}  // namespace countersign::auth
