// What a failover could take back is not handed to Kafka: a commit waits until the standbys that
// may be promoted have it on disk.
#include <utility>

#include "services/outbox-relay/relay.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// A standby that is restarted comes back sooner.
constexpr std::chrono::seconds kPatience{5};
// Where nothing else wakes the relay.
constexpr milliseconds kLook{100};

}  // namespace

// Throws if nobody can tell: a server that stops would wait for this relay.
bool Relay::StandbysHave(Lsn position) {
  if (!standbys_ || standbys_->Have(position)) return true;
  const auto why = standbys_->BlindFor(settings_.takeover_after);
  if (!why.empty()) {
    throw pg::ReplicationFault("standbys", "the standbys' positions cannot be read: " + why);
  }
  return false;
}

void Relay::HandleBegin(const Begin& begin) {
  awaited_ = Awaited{.begin = begin, .since = SteadyClock::now()};
  (void)TryAwaited();
}

// At the beginning, since a transaction that has begun must get to its end.
bool Relay::TryAwaited() {
  const Begin& begin = awaited_->begin;
  // The commit's record begins there.
  if (!StandbysHave(Lsn{begin.final_lsn.value + 1})) {
    observer_.AwaitsStandbys(begin.commit_time);
    TellOfStandbys(*awaited_);
    return false;
  }
  if (standbys_) EndWait(*awaited_);
  progress_.Begin(begin.commit_time, begin.xid);
  rows_.OfCommit(ToString(begin.final_lsn));
  awaited_.reset();
  return true;
}

void Relay::TellOfStandbys(Awaited& awaited) {
  if (awaited.told || SteadyClock::now() - awaited.since < kPatience) return;
  awaited.told = true;
  const auto last = standbys_->Last();
  logger_.Error("what is committed waits for a standby", {{"slot", last}});
  observer_.Trouble("what is committed waits for the standby of slot " + last);
}

void Relay::EndWait(const Awaited& awaited) {
  observer_.AwaitsStandbys({});
  if (!awaited.told) return;
  logger_.Info("the standbys have what waited for them");
  observer_.Trouble({});
}

// The end of WAL that has nothing for us. A checkpoint beyond what a promoted standby has would be
// refused there.
void Relay::PassWal(Lsn end) {
  passing_ = end;
  if (!StandbysHave(end)) return;
  progress_.Pass(end);
  passing_.reset();
}

// False if it was stopped.
bool Relay::AwaitStandbys(Lsn written, const std::stop_token& stop) {
  if (!standbys_) return true;
  Awaited awaited{.begin = {.final_lsn = written, .commit_time = SystemClock().Now()},
                  .since = SteadyClock::now()};
  // It is not read from meanwhile, and what lies there would wake this thread again and again.
  if (auto* stream = leadership_.stream()) waiter_.Watch(stream->socket(), 0);
  while (!StandbysHave(written)) {
    if (stop.stop_requested()) return false;
    observer_.AwaitsStandbys(awaited.begin.commit_time);
    TellOfStandbys(awaited);
    writer_.Drain();
    leadership_.StayAwake();
    leadership_.Keep();
    observer_.Progress(progress_.acknowledgements(), leadership_.seen());
    waiter_.Wait(kLook);
  }
  EndWait(awaited);
  return true;
}

}  // namespace countersign::relay
