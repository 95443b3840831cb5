#include "services/otp/store/deliveries.h"

#include <string_view>

#include "libs/core/invariant.h"
#include "libs/pg/array.h"
#include "services/otp/store/queries.h"

namespace countersign::otp::store {
namespace {

DeliveryState StateOf(std::string_view word) {
  const auto state = ParseDeliveryState(word);
  Invariant(state.has_value(), "the statements and the domain know the same words");
  return *state;
}

std::size_t Index(const pg::Row& row) { return row.Get<std::size_t>("position") - 1; }

}  // namespace

std::vector<TakenIntent> TakeIntents(pg::Connection& connection, std::span<const TakeIntent> batch,
                                     const IntentTerms& terms) {
  const pg::Rows rows = connection.Execute(
      kTakeIntents, pg::Column(batch, &TakeIntent::event_id),
      pg::Column(batch, &TakeIntent::challenge_id), pg::Column(batch, &TakeIntent::subject_id),
      pg::Column(batch, [](const TakeIntent& i) { return ToString(i.purpose); }),
      pg::Column(batch, &TakeIntent::send_number), pg::Column(batch, &TakeIntent::channel),
      pg::Column(batch, &TakeIntent::expires_at), pg::Column(batch, &TakeIntent::readable),
      pg::Column(batch, &TakeIntent::deliver), pg::Column(batch, &TakeIntent::decoy_hmac),
      pg::Column(batch, &TakeIntent::decoy_key_id), pg::Column(batch, &TakeIntent::log_event_id),
      pg::Column(batch, &TakeIntent::payload), pg::Column(batch, &TakeIntent::headers),
      terms.provider, terms.max_attempts, terms.expired.topic, terms.expired.type);

  std::vector<TakenIntent> taken(batch.size());
  for (const pg::Row row : rows) {
    TakenIntent& intent = taken.at(Index(row));
    const auto word = row.Get<std::string_view>("state");
    intent.repeated = row.Get<bool>("repeated");
    intent.undecided = word == "undecided";
    if (word != "unreadable" && !intent.undecided) intent.state = StateOf(word);
  }
  return taken;
}

std::vector<BegunSend> BeginSends(pg::Connection& connection, std::span<const BeginSend> batch,
                                  const SendTerms& terms) {
  const pg::Rows rows = connection.Execute(
      kBeginSends, pg::Column(batch, &BeginSend::event_id),
      pg::Column(batch, &BeginSend::attempt_id), pg::Column(batch, &BeginSend::code_hmac),
      pg::Column(batch, &BeginSend::code_key_id), pg::Column(batch, &BeginSend::log_event_id),
      pg::Column(batch, &BeginSend::payload), pg::Column(batch, &BeginSend::headers),
      terms.provider, terms.lease.count(), terms.expired.topic, terms.expired.type,
      terms.provider_makes_code);

  std::vector<BegunSend> begun(batch.size());
  for (const pg::Row row : rows) {
    BegunSend& send = begun.at(Index(row));
    const auto word = row.Get<std::string_view>("verdict");
    send.begun = word == "begun";
    send.state = send.begun ? DeliveryState::kSending : StateOf(word);
    if (!send.begun) continue;
    send.attempt_number = row.Get<int>("attempt_number");
    send.life = std::chrono::seconds(row.Get<std::int64_t>("life_seconds"));
    send.previous_sid = row.Get<std::string>("previous_sid");
    send.previous_unknown = row.Get<bool>("previous_unknown");
  }
  return begun;
}

std::vector<DeliveryState> FinishSends(pg::Connection& connection,
                                       std::span<const FinishSend> batch) {
  const pg::Rows rows = connection.Execute(
      kFinishSends, pg::Column(batch, &FinishSend::event_id),
      pg::Column(batch, &FinishSend::attempt_id),
      pg::Column(batch, [](const FinishSend& f) { return ToString(f.state); }),
      pg::Column(batch, &FinishSend::provider_sid), pg::Column(batch, &FinishSend::provider_code),
      pg::Column(batch, &FinishSend::reason_class), pg::Column(batch, &FinishSend::log_event_id),
      pg::Column(batch, [](const FinishSend& f) { return f.event.topic; }),
      pg::Column(batch, [](const FinishSend& f) { return f.event.type; }),
      pg::Column(batch, &FinishSend::payload), pg::Column(batch, &FinishSend::headers));

  std::vector<DeliveryState> states(batch.size(), DeliveryState::kUnknown);
  for (const pg::Row row : rows)
    states.at(Index(row)) = StateOf(row.Get<std::string_view>("state"));
  return states;
}

std::vector<OverdueSend> FindOverdueSends(pg::Connection& connection, std::chrono::seconds grace,
                                          int limit) {
  std::vector<OverdueSend> overdue;
  for (const pg::Row row : connection.Execute(kFindOverdueSends, grace.count(), limit)) {
    overdue.push_back({.event_id = row.Get<Uuid>("event_id"),
                       .attempt_id = row.Get<std::optional<Uuid>>("attempt_id"),
                       .challenge_id = {row.Get<Uuid>("challenge_id")},
                       .subject_id = {row.Get<Uuid>("subject_id")},
                       .provider = row.Get<std::string>("provider"),
                       .channel = row.Get<std::string>("channel")});
  }
  return overdue;
}

}  // namespace countersign::otp::store
