#include "services/outbox-relay/relay.h"

#include <sys/epoll.h>

#include <algorithm>
#include <functional>
#include <thread>
#include <utility>

#include "libs/core/failpoint.h"
#include "services/outbox-relay/tail.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// How many messages are read before deliveries, status and stop get their turn.
constexpr int kReadBudget = 256;
// Transactions that follow each other faster are read together: PostgreSQL sends every change by
// itself, and a relay that wakes for each takes the processor from the sender and hands Kafka small
// requests.
constexpr milliseconds kTurn{1};
// Confirmations are gathered this long: a status costs the server a wake-up.
constexpr milliseconds kConfirmInterval{100};
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kStreamPauseMax{2'000};
// Each attempt may append again what Kafka has: a cluster that refuses an event is asked rarely.
constexpr milliseconds kProducerPauseMax{30'000};
// A session of this length was a good one: the next pause is short again.
constexpr milliseconds kSettled{5'000};
constexpr milliseconds kCredentialCheck{2'000};
constexpr milliseconds kFinishLimit{1'000};
// Of kStopLimit; the rest is for what is then in flight.
constexpr milliseconds kTransactionEndLimit{3'000};

}  // namespace

Relay::Relay(RelaySettings settings, const log::Logger& logger, Observer& observer)
    : settings_(std::move(settings)),
      logger_(logger),
      observer_(observer),
      control_([this] {
        observer_.Paused(control_.Look().paused_since.has_value());
        waiter_.Wake();
      }),
      progress_(settings_.promise),
      transaction_(settings_.kafka.transaction_timeout),
      inquirer_(
          settings_.database, settings_.slot, logger,
          {.on_snapshot = [this] { waiter_.Wake(); },
           .on_slot =
               [this](const SlotReport& report) { observer_.Slot(report, SteadyClock::now()); }}),
      parking_(settings_.database, settings_.slot) {
  if (Transactional()) {
    // Whoever has the checkpoints of that name is the one that may write.
    settings_.kafka.transactional_id = settings_.checkpoint_topic + "/" + settings_.slot;
  }
  settings_.kafka.on_error = [this](const kafka::Fault& fault) {
    logger_.Warn("kafka trouble", {{"why", fault.what()}});
    if (fault.IsAuthentication()) refused_ = fault;
  };
}

Relay::~Relay() = default;

void Relay::CheckCredentials() {
  MakeProducer();
  if (!producer_->Reach(kCredentialCheck)) {
    (void)producer_->Drain([](const kafka::Delivery&) {});  // the cause is among the news
    if (refused_) throw kafka::Fault(*refused_);
    logger_.Warn("no kafka broker answers yet");
  }
  try {
    if (settings_.source == Source::kTable) {
      const pg::TableReader connection(settings_.database, {});
    } else {
      const pg::ReplicationConnection connection(settings_.database);
    }
  } catch (const pg::ReplicationRefused&) {
    throw;
  } catch (const pg::ReplicationFault& fault) {
    logger_.Warn("the database does not answer yet", {{"why", fault.what()}});
  }
}

void Relay::Run(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] { waiter_.Wake(); });
  milliseconds pause = kFirstPause;
  while (!stop.stop_requested()) {
    const auto begun = SteadyClock::now();
    milliseconds pause_max = kStreamPauseMax;
    std::string why;
    std::string cause;
    bool too_long = false;
    try {
      Serve(stop);
      continue;
    } catch (const pg::ReplicationFault& fault) {
      why = fault.what();
      cause = fault.cause();
      Disconnect();
    } catch (const DecodeFault& fault) {
      why = fault.what();
      cause = "decode";
      Disconnect();
    } catch (const TailFault& fault) {
      why = fault.what();
      cause = "kafka";
      Disconnect();
    } catch (const kafka::Fault& fault) {
      why = fault.what();
      cause = fault.IsFenced() ? "fenced" : "kafka";
      pause_max = kProducerPauseMax;
      too_long = transaction_.Overdue(SteadyClock::now());
      if (dynamic_cast<const kafka::FatalFault*>(&fault) != nullptr && !fault.IsFenced()) {
        NameTheRefused();
      }
      Disconnect();
      DropProducer();
    }
    observer_.Reconnected(cause);
    observer_.Trouble(cause + ": " + why);
    if (SteadyClock::now() - begun > kSettled || std::exchange(parked_one_, false)) {
      pause = kFirstPause;
    }
    // Each attempt leaves all of it in the topics.
    if (too_long) pause = pause_max;
    logger_.Error("relaying was interrupted",
                  {{"cause", cause}, {"why", why}, {"pause_ms", pause.count()}});
    Pause(stop, pause);
    pause = std::min(pause * 2, pause_max);
  }
  Stop("stopped");
}

void Relay::Session(const std::stop_token& stop) {
  MakeProducer();
  // What is on its way is let finish, so that a broken database connection repeats nothing but the
  // transaction it cut.
  if (!AwaitDeliveries(stop, SteadyTime::max())) return;
  if (settings_.source == Source::kTable) return FollowTables(stop);
  if (Connect(stop)) Stream(stop);
}

void Relay::MakeProducer() {
  if (producer_) return;
  producer_ = std::make_unique<kafka::Producer>(settings_.kafka);
  waiter_.Watch(producer_->event_fd(), EPOLLIN);
}

void Relay::Stream(const std::stop_token& stop) {
  const auto on_delivery = [this](const kafka::Delivery& delivery) { OnDelivery(delivery); };
  while (!EndsHere(stop)) {
    ReleaseWanted(stop);
    (void)producer_->Drain(on_delivery);
    const bool more = ReadAvailable(stop);
    WriteCheckpointIfDue();
    SendStatusIfDue();
    observer_.Progress(progress_.acknowledgements(), seen_);
    MindWishes();
    const bool unsent = stream_->Flush();
    const bool reading = !held_ && !progress_.acknowledgements().Full() && !Rests();
    waiter_.Watch(stream_->socket(), (reading ? EPOLLIN : 0U) | (unsent ? EPOLLOUT : 0U));
    const auto limit =
        stop.stop_requested() ? std::min(UntilNextDuty(), kConfirmInterval) : UntilNextDuty();
    const auto turn_ends = SteadyClock::now() + kTurn;
    const auto ready = waiter_.Wait(more ? milliseconds{0} : limit);
    if (!more && !progress_.acknowledgements().HasOpen()) std::this_thread::sleep_until(turn_ends);
    if (ready.hung_up && !reading) {
      throw pg::ReplicationFault("connection_lost",
                                 "the server hung up while it was not read from");
    }
  }
}

// When asked to stop: in the middle of a transaction only if it cannot be helped, since a cut one
// is sent again from its beginning.
bool Relay::EndsHere(const std::stop_token& stop) {
  if (!stop.stop_requested()) return false;
  const auto now = SteadyClock::now();
  if (!stopping_since_) stopping_since_ = now;
  const bool obstructed = held_ && !held_->queue_full;
  return !progress_.acknowledgements().HasOpen() || obstructed ||
         now - *stopping_since_ > kTransactionEndLimit;
}

bool Relay::ReadAvailable(const std::stop_token& stop) {
  for (int i = 0; i < kReadBudget; ++i) {
    StayAwake();
    if (held_ && !TryHeld()) return false;
    if (progress_.acknowledgements().Full() || Rests() || EndsHere(stop)) return false;
    const auto frame = stream_->Read();
    if (!frame) return false;
    Handle(*frame);
  }
  return true;
}

// A process that was frozen finds in its socket what PostgreSQL sent before it hung up, and another
// relay has long since brought it.
void Relay::StayAwake() {
  if (!awake_) return;
  const auto now = SteadyClock::now();
  const auto slept = now - std::exchange(*awake_, now);
  if (slept < settings_.takeover_after) return;
  throw pg::ReplicationFault(
      "frozen", "no turn for " +
                    std::to_string(std::chrono::duration_cast<milliseconds>(slept).count()) +
                    " ms: another relay may lead by now");
}

void Relay::SendStatusIfDue() {
  StayAwake();
  const auto age = SteadyClock::now() - status_sent_;
  const bool progress = progress_.acknowledgements().Confirmed() > confirmed_;
  if (age >= status_interval_ || (progress && age >= kConfirmInterval)) SendStatus();
}

void Relay::SendStatus() {
  const Lsn confirmed = progress_.acknowledgements().Confirmed();
  const bool progress = confirmed > confirmed_;
  if (progress) Failpoint("before_confirm");
  stream_->SendStatus(std::max(seen_, confirmed), confirmed);
  (void)stream_->Flush();
  confirmed_ = confirmed;
  status_sent_ = SteadyClock::now();
  if (progress) Failpoint("after_confirm");
}

milliseconds Relay::UntilNextDuty() const {
  const bool progress = progress_.acknowledgements().Confirmed() > confirmed_;
  auto next =
      status_sent_ + (progress ? std::min(kConfirmInterval, status_interval_) : status_interval_);
  if (progress_.CheckpointWorthAsking())
    next = std::min(next, checkpoint_tried_ + kCheckpointInterval);
  if (!parking_.empty()) next = std::min(next, parking_asked_ + kParkingPoll);
  if (held_ && !held_->queue_full) next = std::min(next, held_->retry_at);
  if (!progress_.acknowledgements().HasOpen()) next = std::min(next, transaction_.Due());
  const auto left = std::chrono::ceil<milliseconds>(next - SteadyClock::now());
  return std::max(left, milliseconds{0});
}

bool Relay::AwaitDeliveries(const std::stop_token& stop, SteadyTime deadline) {
  const auto on_delivery = [this](const kafka::Delivery& delivery) { OnDelivery(delivery); };
  while (true) {
    (void)producer_->Drain(on_delivery);
    observer_.Progress(progress_.acknowledgements(), seen_);
    if (progress_.acknowledgements().InFlight() == 0 && !progress_.CheckpointOnItsWay())
      return true;
    const auto now = SteadyClock::now();
    if (stop.stop_requested() || now >= deadline) return false;
    milliseconds limit{1000};
    if (stream_) {
      SendStatusIfDue();
      limit = UntilNextDuty();
    }
    if (cursor_) {
      KeepSession();
      limit = status_interval_;
    }
    waiter_.Wait(std::min(limit, std::chrono::ceil<milliseconds>(
                                     std::min(deadline, now + milliseconds{1000}) - now)));
  }
}

void Relay::Disconnect() {
  GiveUpKafkaTransaction();
  if (stream_) waiter_.Forget(stream_->socket());
  stream_.reset();
  cursor_.reset();
  held_.reset();
  releasing_.reset();
  awake_.reset();
  inquirer_.WatchSlot(false);
  observer_.Leading(false);
  control_.Say(Role::kConnecting);
}

void Relay::DropProducer() {
  if (producer_) waiter_.Forget(producer_->event_fd());
  producer_.reset();
  progress_.Resume({.from = progress_.acknowledgements().Confirmed()});
}

void Relay::Pause(const std::stop_token& stop, milliseconds limit) {
  const auto end = SteadyClock::now() + limit;
  while (!stop.stop_requested() && SteadyClock::now() < end) {
    waiter_.Wait(std::chrono::ceil<milliseconds>(end - SteadyClock::now()));
  }
}

void Relay::Stop(std::string_view what) {
  try {
    if (stream_) waiter_.Forget(stream_->socket());
    const auto began = stopping_since_.value_or(SteadyClock::now());
    if (producer_) (void)AwaitDeliveries({}, began + kStopLimit);
    if (stream_) {
      FinishCheckpoints(began + kStopLimit);
      SendStatus();
      stream_->Finish(kFinishLimit);
    }
    if (cursor_) FinishCheckpoints(began + kStopLimit);
    logger_.Info(what, {{"confirmed", ToString(progress_.acknowledgements().Confirmed())},
                        {"unacknowledged", progress_.acknowledgements().InFlight()}});
  } catch (const std::exception& fault) {
    // Nothing is lost: what was not confirmed comes again at the next start.
    logger_.Warn("stopped without the last confirmation", {{"why", fault.what()}});
  }
  Disconnect();
}

}  // namespace countersign::relay
