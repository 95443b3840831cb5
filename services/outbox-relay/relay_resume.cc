// How the relay comes to lead, and where its stream begins.
#include <memory>
#include <utility>

#include "services/outbox-relay/beginning.h"
#include "services/outbox-relay/relay.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;

// How often a standby asks for the lock.
constexpr milliseconds kTakeoverPoll{200};

}  // namespace

bool Relay::AwaitLock(const std::function<bool()>& try_lock, const std::stop_token& stop) {
  for (bool told = false; !try_lock();) {
    if (!told) {
      logger_.Info("standing by: another relay has the slot", {{"slot", settings_.slot}});
      observer_.StandsBy();
      control_.Say(Role::kStandsBy);
      told = true;
    }
    waiter_.Pause(stop, kTakeoverPoll);
    if (stop.stop_requested()) return false;
  }
  observer_.Leading(true);
  inquirer_.WatchSlot(settings_.source == Source::kWal);
  control_.Say(Role::kLeads);
  return true;
}

bool Relay::Connect(const std::stop_token& stop) {
  auto connection = std::make_unique<pg::ReplicationConnection>(settings_.database);
  // Before anything is read: what another relay still does would make it untrue.
  if (!AwaitLock([&] { return connection->TryLock(settings_.slot); }, stop)) return false;
  if (settings_.Transactional() && !writer_.FenceOthers(stop)) return false;
  const auto server = connection->Identify();
  if (standbys_) standbys_->Forget();
  connection->SetSenderTimeout(settings_.takeover_after);
  RequirePublications(*connection, settings_.publications);
  lanes_.Load();
  refusals_.BeginAgain();
  auto slot = connection->FindSlot(settings_.slot);
  const auto checkpoint = checkpoints_.ReadNewest();
  const auto start = DecideWithSlot(settings_, *connection, server, slot, checkpoint);
  if (start == Start::kRebuild) {
    leadership_.Of(server);
    if (!Rebuild(*connection, checkpoint.value_or(Checkpoint{}), stop)) return false;
  } else {
    if (start == Start::kMakeSlot) slot = MakeSlot(*connection, settings_.slot, logger_);
    const Lsn slot_at = slot->confirmed.value_or(Lsn{});
    progress_.Resume(settings_.promise == Promise::kAtLeastOnce
                         ? ResumeInProcess(leadership_.server(),
                                           progress_.acknowledgements().Confirmed(), server,
                                           slot_at, logger_)
                         : ResumeWithSlot(settings_, checkpoint, server, slot_at, logger_));
  }
  const Lsn from = progress_.acknowledgements().Confirmed();
  connection->Start(settings_.slot, settings_.publications, from);
  leadership_.Stream(std::move(connection), server, from);
  leadership_.BeAwake();
  rows_.ForgetTables();
  logger_.Info("streaming", {{"slot", settings_.slot},
                             {"from", ToString(from)},
                             {"server_at", ToString(server.flushed)},
                             {"in_kafka_already", progress_.SeenInKafka()}});
  observer_.Trouble({});
  leadership_.SendStatus();
  return true;
}

}  // namespace countersign::relay
