#include "services/outbox-relay/relay.h"

#include <sys/epoll.h>

#include <algorithm>
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
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kStreamPauseMax{2'000};
// Each attempt may append again what Kafka has: a cluster that refuses an event is asked rarely.
constexpr milliseconds kProducerPauseMax{30'000};
// A session of this length was a good one: the next pause is short again.
constexpr milliseconds kSettled{5'000};
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
      leadership_(settings_.takeover_after, progress_),
      writer_(settings_, waiter_, progress_, leadership_, refusals_, logger, observer),
      inquirer_(
          settings_.database, settings_.slot, logger,
          {.on_snapshot = [this] { waiter_.Wake(); },
           .on_slot =
               [this](const SlotReport& report) { observer_.Slot(report, SteadyClock::now()); }}),
      checkpoints_(settings_, progress_, leadership_, writer_, inquirer_),
      lanes_(settings_, logger, observer),
      rows_(settings_, progress_, leadership_, writer_, refusals_, lanes_, logger, observer) {
  if (!settings_.wait_for_standbys.empty()) {
    standbys_.emplace(settings_.database, settings_.wait_for_standbys, logger,
                      [this] { waiter_.Wake(); });
  }
}

void Relay::CheckCredentials() {
  writer_.CheckCredentials();
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
      too_long = writer_.transaction().Overdue(SteadyClock::now());
      if (dynamic_cast<const kafka::FatalFault*>(&fault) != nullptr && !fault.IsFenced()) {
        writer_.NameTheRefused();
      }
      Disconnect();
      writer_.Drop();
    }
    observer_.Reconnected(cause);
    observer_.Trouble(cause + ": " + why);
    if (SteadyClock::now() - begun > kSettled || lanes_.HasParked()) {
      pause = kFirstPause;
    }
    // Each attempt leaves all of it in the topics.
    if (too_long) pause = pause_max;
    logger_.Error("relaying was interrupted",
                  {{"cause", cause}, {"why", why}, {"pause_ms", pause.count()}});
    waiter_.Pause(stop, pause);
    pause = std::min(pause * 2, pause_max);
  }
  Stop("stopped");
}

void Relay::Session(const std::stop_token& stop) {
  writer_.Open();
  // What is on its way is let finish, so that a broken database connection repeats nothing but the
  // transaction it cut.
  if (!AwaitDeliveries(stop, SteadyTime::max())) return;
  if (settings_.source == Source::kTable) return FollowTables(stop);
  if (Connect(stop)) Stream(stop);
}

void Relay::Stream(const std::stop_token& stop) {
  auto& stream = *leadership_.stream();
  while (!EndsHere(stop)) {
    ReleaseWanted(stop);
    writer_.Drain();
    const bool more = ReadAvailable(stop);
    checkpoints_.WriteIfDue();
    leadership_.SendStatusIfDue();
    observer_.Progress(progress_.acknowledgements(), leadership_.seen());
    MindWishes();
    const bool unsent = stream.Flush();
    const bool reading =
        !rows_.Holds() && !awaited_ && !progress_.acknowledgements().Full() && !Rests();
    waiter_.Watch(stream.socket(), (reading ? EPOLLIN : 0U) | (unsent ? EPOLLOUT : 0U));
    const auto limit = stop.stop_requested()
                           ? std::min(UntilNextDuty(), Leadership::kConfirmInterval)
                           : UntilNextDuty();
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
  return !progress_.acknowledgements().HasOpen() || rows_.Obstructed() ||
         now - *stopping_since_ > kTransactionEndLimit;
}

bool Relay::ReadAvailable(const std::stop_token& stop) {
  for (int i = 0; i < kReadBudget; ++i) {
    leadership_.StayAwake();
    if (rows_.Holds() && !rows_.TryHeld()) return false;
    if (awaited_ && (Rests() || !TryAwaited())) return false;
    if (passing_) PassWal(*passing_);
    if (progress_.acknowledgements().Full() || Rests() || EndsHere(stop)) return false;
    const auto frame = leadership_.stream()->Read();
    if (!frame) return false;
    Handle(*frame);
  }
  return true;
}

void Relay::Handle(const pg::Frame& frame) {
  leadership_.Saw(frame.wal_end);
  if (frame.kind == pg::Frame::Kind::kKeepalive) {
    // WAL of other tables need not be kept for us.
    PassWal(frame.wal_end);
    if (frame.reply_requested) leadership_.SendStatus();
    return;
  }
  Failpoint("after_read");
  const Message message = decoder_.Decode(frame.data);
  if (const auto* begin = std::get_if<Begin>(&message)) {
    HandleBegin(*begin);
  } else if (const auto* insert = std::get_if<Insert>(&message)) {
    (void)rows_.Send(insert->oid, *insert->fields);  // what is held is tried again
  } else if (const auto* commit = std::get_if<Commit>(&message)) {
    progress_.Commit(commit->end_lsn);
    observer_.TransactionRead();
    if (settings_.Transactional()) {
      writer_.TransactionRead(commit->end_lsn);
      checkpoints_.WriteIfDue();
    }
  } else if (const auto* relation = std::get_if<Relation>(&message)) {
    rows_.Describe(*relation);
  }
}

milliseconds Relay::UntilNextDuty() const {
  auto next = std::min(leadership_.StatusDue(), checkpoints_.Due());
  next = std::min({next, lanes_.Due(), rows_.RetryDue()});
  const auto left = std::chrono::ceil<milliseconds>(next - SteadyClock::now());
  return std::max(left, milliseconds{0});
}

bool Relay::AwaitDeliveries(const std::stop_token& stop, SteadyTime deadline) {
  while (true) {
    writer_.Drain();
    observer_.Progress(progress_.acknowledgements(), leadership_.seen());
    if (progress_.acknowledgements().InFlight() == 0 && !progress_.CheckpointOnItsWay())
      return true;
    const auto now = SteadyClock::now();
    if (stop.stop_requested() || now >= deadline) return false;
    milliseconds limit{1000};
    leadership_.Keep();
    if (leadership_.stream() != nullptr) limit = UntilNextDuty();
    if (cursor_) limit = leadership_.interval();
    waiter_.Wait(std::min(limit, std::chrono::ceil<milliseconds>(
                                     std::min(deadline, now + milliseconds{1000}) - now)));
  }
}

void Relay::Disconnect() {
  // What is given up here counts as late until it is brought.
  observer_.Progress(progress_.acknowledgements(), leadership_.seen());
  writer_.GiveUpTransaction();
  if (leadership_.stream() != nullptr) waiter_.Forget(leadership_.stream()->socket());
  leadership_.End();
  cursor_.reset();
  rows_.DropHeld();
  awaited_.reset();
  passing_.reset();
  lanes_.GiveUpRelease();
  observer_.AwaitsStandbys({});
  inquirer_.WatchSlot(false);
  observer_.Leading(false);
  control_.Say(Role::kConnecting);
}

void Relay::FinishCheckpoints(SteadyTime deadline) {
  if (settings_.Transactional()) {
    // A cut transaction of PostgreSQL takes those before it along.
    const bool whole = !progress_.acknowledgements().HasOpen();
    if (whole && (writer_.transaction().open() || !progress_.Covered()))
      checkpoints_.Commit(deadline);
    return;
  }
  while (!progress_.Covered() && SteadyClock::now() < deadline) {
    checkpoints_.WriteNow();
    // Nothing may be due: a transaction was cut.
    if (!progress_.CheckpointOnItsWay() || !AwaitDeliveries({}, deadline)) return;
  }
}

void Relay::Stop(std::string_view what) {
  try {
    auto* const stream = leadership_.stream();
    if (stream != nullptr) waiter_.Forget(stream->socket());
    const auto began = stopping_since_.value_or(SteadyClock::now());
    if (writer_.IsOpen()) (void)AwaitDeliveries({}, began + kStopLimit);
    if (stream != nullptr) {
      FinishCheckpoints(began + kStopLimit);
      leadership_.SendStatus();
      stream->Finish(kFinishLimit);
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
