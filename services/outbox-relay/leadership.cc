#include "services/outbox-relay/leadership.h"

#include <algorithm>
#include <string>
#include <utility>

#include "libs/core/failpoint.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

}  // namespace

Leadership::Leadership(milliseconds takeover_after, const Progress& progress)
    : takeover_after_(takeover_after), progress_(progress) {}

void Leadership::Stream(std::unique_ptr<pg::ReplicationConnection> stream,
                        const pg::SystemIdentity& server, Lsn from) {
  stream_ = std::move(stream);
  server_ = server;
  seen_ = std::max(server.flushed, from);
  told_ = from;
}

void Leadership::ReadTables(std::unique_ptr<pg::TableReader> reader,
                            const pg::SystemIdentity& server) {
  reader_ = std::move(reader);
  server_ = server;
  seen_ = server.flushed;
  asked_ = {};
}

void Leadership::BeAwake() { awake_ = SteadyClock::now(); }

void Leadership::End() {
  stream_.reset();
  reader_.reset();
  awake_.reset();
}

void Leadership::Saw(Lsn position) { seen_ = std::max(seen_, position); }

// A process that was frozen finds in its socket what PostgreSQL sent before it hung up, and another
// relay has long since brought it.
void Leadership::StayAwake() {
  if (!awake_) return;
  const auto now = SteadyClock::now();
  const auto slept = now - std::exchange(*awake_, now);
  if (slept < takeover_after_) return;
  throw pg::ReplicationFault(
      "frozen", "no turn for " +
                    std::to_string(std::chrono::duration_cast<milliseconds>(slept).count()) +
                    " ms: another relay may lead by now");
}

void Leadership::Keep() {
  SendStatusIfDue();
  if (!reader_) return;
  StayAwake();
  if (SteadyClock::now() - asked_ < interval()) return;
  reader_->Ping();
  Answered();
}

void Leadership::SendStatusIfDue() {
  if (!stream_) return;
  StayAwake();
  const auto age = SteadyClock::now() - status_sent_;
  const bool progress = progress_.acknowledgements().Confirmed() > told_;
  if (age >= interval() || (progress && age >= kConfirmInterval)) SendStatus();
}

void Leadership::SendStatus() {
  const Lsn confirmed = progress_.acknowledgements().Confirmed();
  const bool progress = confirmed > told_;
  if (progress) Failpoint("before_confirm");
  stream_->SendStatus(std::max(seen_, confirmed), confirmed);
  (void)stream_->Flush();
  told_ = confirmed;
  status_sent_ = SteadyClock::now();
  if (progress) Failpoint("after_confirm");
}

Leadership::SteadyTime Leadership::StatusDue() const {
  const bool progress = progress_.acknowledgements().Confirmed() > told_;
  return status_sent_ + (progress ? std::min(kConfirmInterval, interval()) : interval());
}

}  // namespace countersign::relay
