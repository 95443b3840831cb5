#include "services/auth/store/send_codes.h"

#include <string_view>

#include "libs/core/invariant.h"
#include "libs/pg/array.h"
#include "services/auth/store/queries.h"

namespace countersign::auth::store {
namespace {

template <typename Member>
auto NewcomerColumn(std::span<const SendCode> batch, Member member) {
  using Value = std::remove_cvref_t<std::invoke_result_t<Member, const Newcomer&>>;
  pg::Array<Value> column;
  for (const SendCode& command : batch) {
    if (command.newcomer) {
      column.Add(std::invoke(member, *command.newcomer));
    } else {
      column.AddNull();
    }
  }
  return column;
}

}  // namespace

std::vector<SendDecision> SendCodes(pg::Connection& connection, std::span<const SendCode> batch,
                                    const SendTerms& terms) {
  pg::Array<std::int64_t> cooldowns;
  for (const std::int64_t seconds : CooldownSeconds(terms.limit)) cooldowns.Add(seconds);

  const pg::Rows rows = connection.Execute(
      kSendCode, pg::Column(batch, &SendCode::phone_hash), pg::Column(batch, &SendCode::phone),
      pg::Column(batch, [](const SendCode& c) { return ToString(c.purpose); }),
      pg::Column(batch, &SendCode::is_resend), pg::Column(batch, &SendCode::subject_id),
      pg::Column(batch, &SendCode::event_id), pg::Column(batch, &SendCode::id_hash),
      pg::Column(batch, &SendCode::challenge_id),
      pg::Column(batch, [](const SendCode& c) { return ToString(c.channel); }),
      pg::Column(batch, &SendCode::locale), pg::Column(batch, &SendCode::payload),
      pg::Column(batch, &SendCode::decoy_payload), pg::Column(batch, &SendCode::headers),
      NewcomerColumn(batch, &Newcomer::user_id), NewcomerColumn(batch, &Newcomer::event_id),
      NewcomerColumn(batch, [](const Newcomer& n) -> const std::string& { return n.name.first; }),
      NewcomerColumn(batch, [](const Newcomer& n) -> const std::string& { return n.name.last; }),
      NewcomerColumn(batch, &Newcomer::email), NewcomerColumn(batch, &Newcomer::country),
      NewcomerColumn(batch, &Newcomer::salutation), NewcomerColumn(batch, &Newcomer::person_key),
      NewcomerColumn(batch, &Newcomer::person_key_kek), NewcomerColumn(batch, &Newcomer::payload),
      NewcomerColumn(batch, &Newcomer::headers), cooldowns, terms.code_life.count(),
      terms.limit.per_hour, terms.limit.per_day, terms.user_created.topic, terms.user_created.type,
      terms.send_otp.topic, terms.send_otp.type);

  std::vector<SendDecision> decisions(batch.size());
  for (const pg::Row row : rows) {
    const auto outcome = ParseSendOutcome(row.Get<std::string_view>("outcome"));
    Invariant(outcome.has_value(), "send_code.sql and ParseSendOutcome know the same words");
    SendDecision& decision = decisions.at(row.Get<std::size_t>("position") - 1);
    decision.outcome = *outcome;
    if (decision.outcome == SendDecision::Outcome::kClosed) continue;
    decision.expires_at = row.Get<Instant>("expires_at");
    decision.resend_after = row.Get<Instant>("opens_at");
    decision.wait = std::chrono::milliseconds(row.Get<std::int64_t>("wait_ms"));
  }
  return decisions;
}

std::optional<SendDecision> FindSent(pg::Connection& connection, const SendCode& command,
                                     const SendTerms& terms) {
  const pg::Rows rows =
      connection.Execute(kFindSent, command.phone_hash, command.id_hash, command.event_id,
                         terms.limit.per_hour, terms.limit.per_day);
  if (rows.empty()) return std::nullopt;
  return SendDecision{.outcome = SendDecision::Outcome::kGranted,
                      .expires_at = rows.Only().Get<Instant>("expires_at"),
                      .resend_after = rows.Only().Get<Instant>("opens_at")};
}

}  // namespace countersign::auth::store
