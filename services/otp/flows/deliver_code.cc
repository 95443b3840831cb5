#include "services/otp/flows/deliver_code.h"

#include <algorithm>
#include <array>
#include <utility>

#include "libs/core/failpoint.h"
#include "libs/core/invariant.h"
#include "services/otp/events.h"
#include "services/otp/flows/code_hmac.h"

namespace countersign::otp {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// Limit of one statement, its wait in the queue included.
constexpr milliseconds kStoreLimit{5'000};
// Until a step is repeated that the database did not take.
constexpr milliseconds kStorePause{500};
// Until a number is tried again to which another replica is just sending.
constexpr milliseconds kBusyPause{250};

// So many more than the provider may have are begun ahead, so that none of its places is empty for
// the time of a statement: in_flight / kAheadShare.
constexpr std::size_t kAheadShare = 8;

std::string KeyOf(const SubjectId& subject) { return std::string(AsText(subject.value.bytes)); }

const EventKind& EventOf(DeliveryState state) {
  switch (state) {
    case DeliveryState::kSent:
      return events::kSent;
    case DeliveryState::kFailed:
      return events::kFailed;
    case DeliveryState::kExpired:
      return events::kExpired;
    default:
      return events::kUnknown;
  }
}

CallResult ResultOf(const providers::SendOutcome& outcome) {
  switch (outcome.status) {
    case providers::SendStatus::kSent:
      return CallResult::kSent;
    case providers::SendStatus::kNotSent:
      return CallResult::kNotSent;
    case providers::SendStatus::kRejected:
      return outcome.refusal == providers::Refusal::kProviderMisconfigured
                 ? CallResult::kMisconfigured
                 : CallResult::kRejected;
    case providers::SendStatus::kUnknown:
      break;
  }
  return CallResult::kUnknown;
}

}  // namespace

struct DeliverCodeFlow::Sending {
  SendIntent intent;
  Done done;
  std::string traceparent;
  // Of the attempt under way.
  Secret<std::string> code{};
  store::BeginSend begin{};
  store::BegunSend begun{};
  SteadyClock::time_point dies_at{};
  SteadyClock::time_point called_at{};
  milliseconds retry_after{0};
  std::string detail{};
  store::FinishSend finish{};
};

DeliverCodeFlow::DeliverCodeFlow(const DeliverySettings& settings, Parts parts)
    : settings_(settings),
      parts_(parts),
      lanes_(settings.in_flight + settings.in_flight / kAheadShare),
      calls_(settings.in_flight) {}

void DeliverCodeFlow::Run(SendIntent intent, Done done) {
  auto sending = std::make_shared<Sending>(
      Sending{.intent = std::move(intent), .done = std::move(done), .traceparent = {}});
  sending->traceparent = countersign::ToString(sending->intent.trace);
  Take(sending);
}

void DeliverCodeFlow::Take(const SendingPtr& sending) {
  const SendIntent& intent = sending->intent;
  store::TakeIntent command{
      .event_id = intent.event_id,
      .challenge_id = intent.challenge_id,
      .subject_id = intent.subject_id,
      .purpose = intent.purpose,
      .send_number = intent.send_number,
      .channel = std::string(ToString(intent.channel)),
      .expires_at = intent.expires_at,
      .readable = intent.recipient.has_value(),
      .deliver = !intent.recipient || intent.recipient->deliver,
      .decoy_key_id = parts_.code_keys.Current()->id,
      .log_event_id = parts_.ids.Next(),
      .payload = ToJson(DeliveryEvent{.send_event_id = intent.event_id,
                                      .challenge_id = intent.challenge_id,
                                      .subject_id = intent.subject_id,
                                      .channel = ToString(intent.channel),
                                      .provider = parts_.provider.Describe().name}),
      .headers = EventHeaders(sending->traceparent)};
  parts_.random.Fill(command.decoy_hmac);
  sending->begin = {.event_id = intent.event_id,
                    .code_key_id = command.decoy_key_id,
                    .log_event_id = command.log_event_id,
                    .payload = command.payload,
                    .headers = command.headers};
  parts_.intents.Submit(KeyOf(intent.subject_id), std::move(command),
                        SteadyClock::now() + kStoreLimit,
                        [this, sending](const Result<store::TakenIntent>& taken) {
                          if (taken) return OnTaken(sending, *taken);
                          StoreFailed(taken.error());
                          if (Stopping()) return;
                          parts_.timer.After(kStorePause, [this, sending] { Take(sending); });
                        });
}

void DeliverCodeFlow::OnTaken(const SendingPtr& sending, const store::TakenIntent& taken) {
  StoreWorks();
  Failpoint("otp_after_intent");
  if (!taken.state) return sending->done(Taken::kUnreadable);
  if (taken.repeated) parts_.observer.Repeated();
  if (!IsOver(*taken.state)) {
    if (!sending->intent.recipient) return sending->done(Taken::kUnreadable);
    return lanes_.Enter(sending->intent.subject_id, [this, sending] { Begin(sending); });
  }
  if (!taken.repeated) Log(*sending, *taken.state);
  sending->done(Taken::kFinished);
}

// Has a slot.
void DeliverCodeFlow::Begin(const SendingPtr& sending) {
  const SendIntent& intent = sending->intent;
  if (!CountOpen()) return;
  if (intent.given_away && *intent.given_away) return Drop(sending);
  sending->begin.attempt_id = parts_.ids.Next();
  if (!parts_.provider.Describe().makes_code) {
    const auto key = parts_.code_keys.Current();
    sending->code = DrawCode(parts_.random, settings_.code_length);
    sending->begin.code_key_id = key->id;
    sending->begin.code_hmac = HmacOfCode(key->material, key->id,
                                          {.purpose = intent.purpose,
                                           .subject_id = intent.subject_id,
                                           .challenge_id = intent.challenge_id,
                                           .generation = intent.send_number},
                                          sending->code);
  }
  SubmitBegin(sending);
}

// The same attempt again and again until the database has said what became of it: if it was begun
// by one that seemed lost, it is ours.
void DeliverCodeFlow::SubmitBegin(const SendingPtr& sending) {
  parts_.begins.Submit(KeyOf(sending->intent.subject_id), sending->begin,
                       SteadyClock::now() + kStoreLimit,
                       [this, sending](const Result<store::BegunSend>& begun) {
                         if (begun) return OnBegun(sending, *begun);
                         StoreFailed(begun.error());
                         if (Stopping()) return Drop(sending);
                         parts_.timer.After(kStorePause, [this, sending] { SubmitBegin(sending); });
                       });
}

void DeliverCodeFlow::OnBegun(const SendingPtr& sending, const store::BegunSend& begun) {
  StoreWorks();
  if (begun.begun) {
    sending->begun = begun;
    sending->dies_at = SteadyClock::now() + begun.life;
    return calls_.Enter([this, sending] { Call(sending); });
  }
  lanes_.GiveSlotBack();
  if (!IsOver(begun.state)) return BeginAgain(sending, kBusyPause);
  Log(*sending, begun.state);
  Finish(sending);
}

void DeliverCodeFlow::Call(const SendingPtr& sending) {
  if (sending->dies_at <= SteadyClock::now()) {  // the database was away for too long
    calls_.Leave();
    lanes_.GiveSlotBack();
    return Record(sending, {.status = providers::SendStatus::kNotSent});
  }
  Failpoint("otp_before_call");
  const SendIntent& intent = sending->intent;
  providers::SendOrder order{.attempt_id = sending->begin.attempt_id,
                             .to = intent.recipient->phone_number,
                             .purpose = std::string(ToString(intent.purpose)),
                             .channel = intent.channel,
                             .locale = intent.locale,
                             .code = sending->code,
                             .life = sending->begun.life,
                             .supersedes_sid = sending->begun.previous_sid,
                             .supersedes_unknown = sending->begun.previous_unknown,
                             .traceparent = sending->traceparent};
  sending->code = {};
  sending->called_at = SteadyClock::now();
  parts_.observer.SendBegan();
  parts_.provider.Send(std::move(order), sending->called_at + settings_.send_timeout,
                       [this, sending](const providers::SendOutcome& outcome) {
                         Failpoint("otp_after_call");
                         parts_.observer.SendAnswered(SteadyClock::now() - sending->called_at);
                         // First, or the slot would let another call begin.
                         if (Decide(ResultOf(outcome)).halts) Halt(outcome.detail);
                         calls_.Leave();
                         lanes_.GiveSlotBack();
                         Record(sending, outcome);
                       });
}

void DeliverCodeFlow::Record(const SendingPtr& sending, const providers::SendOutcome& outcome) {
  const AfterCall after = Decide(ResultOf(outcome));
  sending->retry_after = outcome.retry_after;
  sending->detail = outcome.detail;
  const SendIntent& intent = sending->intent;
  const EventKind& event = EventOf(after.state);
  sending->finish = {
      .event_id = intent.event_id,
      .attempt_id = sending->begin.attempt_id,
      .state = after.state,
      .provider_sid = outcome.provider_sid,
      .provider_code = outcome.provider_code,
      .reason_class = std::string(providers::Word(outcome.refusal)),
      .log_event_id = parts_.ids.Next(),
      .event = event,
      .payload = ToJson(DeliveryEvent{.send_event_id = intent.event_id,
                                      .challenge_id = intent.challenge_id,
                                      .subject_id = intent.subject_id,
                                      .channel = ToString(intent.channel),
                                      .provider = parts_.provider.Describe().name,
                                      .provider_message_id = outcome.provider_sid,
                                      .reason_class = providers::Word(outcome.refusal),
                                      .provider_code = outcome.provider_code}),
      .headers = EventHeaders(sending->traceparent)};
  SubmitRecord(sending);
}

void DeliverCodeFlow::SubmitRecord(const SendingPtr& sending) {
  parts_.finishes.Submit(
      KeyOf(sending->intent.subject_id), sending->finish, SteadyClock::now() + kStoreLimit,
      [this, sending](const Result<DeliveryState>& state) {
        if (state) return OnRecorded(sending, *state);
        StoreFailed(state.error());
        parts_.timer.After(kStorePause, [this, sending] { SubmitRecord(sending); });
      });
}

void DeliverCodeFlow::OnRecorded(const SendingPtr& sending, DeliveryState state) {
  StoreWorks();
  Failpoint("otp_after_outcome");
  Log(*sending, state);
  if (IsOver(state)) return Finish(sending);
  // Not sent. It is begun again while it lives, and once more when it is dead, to say so.
  const auto life_left = std::chrono::ceil<milliseconds>(sending->dies_at - SteadyClock::now());
  const milliseconds pause = RetryPause(sending->begun.attempt_number, sending->retry_after);
  BeginAgain(sending, std::clamp(life_left, milliseconds(0), pause));
}

void DeliverCodeFlow::BeginAgain(const SendingPtr& sending, milliseconds delay) {
  parts_.timer.After(delay,
                     [this, sending] { lanes_.EnterAgain([this, sending] { Begin(sending); }); });
  DiscountOpen();
}

// Somebody else will take it up, or this process when it is back.
void DeliverCodeFlow::Drop(const SendingPtr& sending) {
  lanes_.GiveSlotBack();
  lanes_.Leave(sending->intent.subject_id);
  DiscountOpen();
}

void DeliverCodeFlow::Finish(const SendingPtr& sending) {
  lanes_.Leave(sending->intent.subject_id);
  sending->done(Taken::kFinished);
  DiscountOpen();
}

void DeliverCodeFlow::Halt(const std::string& why) {
  if (halted_.exchange(true)) return;
  lanes_.Close();
  parts_.observer.Trouble("provider", "misconfigured: " + why);
  parts_.logger.Error("the provider refuses everything: no code is sent until it is mended",
                      {{"provider", parts_.provider.Describe().name}, {"detail", why}});
}

void DeliverCodeFlow::Resume() {
  if (Stopping() || !halted_.exchange(false)) return;
  parts_.observer.Trouble("provider", {});
  parts_.logger.Info("sending again");
  lanes_.Open();
}

bool DeliverCodeFlow::Stop(Deadline deadline) {
  lanes_.Close();
  std::unique_lock lock(mutex_);
  stopping_ = true;
  return all_recorded_.wait_until(lock, deadline, [this] { return open_ == 0; });
}

bool DeliverCodeFlow::CountOpen() {
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  ++open_;
  return true;
}

void DeliverCodeFlow::DiscountOpen() {
  const std::lock_guard lock(mutex_);
  if (--open_ == 0) all_recorded_.notify_all();
}

bool DeliverCodeFlow::Stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void DeliverCodeFlow::StoreFailed(const Error& error) {
  if (store_failing_.exchange(true)) return;
  parts_.observer.Trouble("database", std::string(error.reason->word));
  parts_.logger.Error("the database does not take what is to be recorded",
                      {{"reason", error.reason->word}, {"detail", error.detail}});
}

void DeliverCodeFlow::StoreWorks() {
  if (!store_failing_.load(std::memory_order_relaxed) || !store_failing_.exchange(false)) return;
  parts_.observer.Trouble("database", {});
  parts_.logger.Info("the database takes records again");
}

// One line for each end of a try to send.
void DeliverCodeFlow::Log(const Sending& sending, DeliveryState state) const {
  parts_.observer.Ended(state);
  const auto outcome = state == DeliveryState::kReceived ? "not_sent" : otp::ToString(state);
  const bool bad = state == DeliveryState::kFailed || state == DeliveryState::kUnknown;
  const std::string event = countersign::ToString(sending.intent.event_id);
  const std::string challenge = countersign::ToString(sending.intent.challenge_id);
  const std::string trace = TraceIdText(sending.intent.trace);
  const auto took = SteadyClock::now() - sending.called_at;
  const bool called = sending.begun.begun;
  const std::array<log::Field, 10> fields = {
      log::Field("outcome", outcome), log::Field("event_id", event),
      log::Field("challenge_id", challenge), log::Field("trace_id", trace),
      log::Field("channel", ToString(sending.intent.channel)),
      log::Field("provider", parts_.provider.Describe().name),
      // From here on only of a call.
      log::Field("attempt", sending.begun.attempt_number),
      log::Field("ms", std::chrono::duration<double, std::milli>(took).count()),
      log::Field("reason_class", sending.finish.reason_class),
      log::Field("detail", sending.detail)};
  parts_.logger.Write(bad ? log::Level::kWarn : log::Level::kInfo, "send", fields.data(),
                      fields.data() + (called ? fields.size() : fields.size() - 4));
}

std::string_view ToString(providers::Channel channel) {
  switch (channel) {
    case providers::Channel::kSms:
      return "sms";
    case providers::Channel::kWhatsapp:
      return "whatsapp";
    case providers::Channel::kVoice:
      return "voice";
  }
  Invariant(false, "a channel outside its enumeration");
  return {};
}

std::optional<providers::Channel> ParseChannel(std::string_view word) {
  for (const auto channel :
       {providers::Channel::kSms, providers::Channel::kWhatsapp, providers::Channel::kVoice})
    if (ToString(channel) == word) return channel;
  return std::nullopt;
}

}  // namespace countersign::otp
