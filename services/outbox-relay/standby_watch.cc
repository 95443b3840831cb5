#include "services/outbox-relay/standby_watch.h"

#include <algorithm>
#include <utility>

#include "services/outbox-relay/side_connection.h"
#include "services/outbox-relay/sql/queries.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;

// A look costs the server a tenth of a millisecond, and a commit waits for two of them.
constexpr milliseconds kShortestPause{2};
// A standby that is away may stay so for hours.
constexpr milliseconds kLongestPause{100};
constexpr milliseconds kPauseAfterFault{1'000};

}  // namespace

StandbyWatch::StandbyWatch(pg::ConnectionSettings database, std::vector<std::string> slots,
                           const log::Logger& logger, std::function<void()> on_safe)
    : database_(BesideTheStream(std::move(database), "standbys")),
      slots_(std::move(slots)),
      logger_(logger),
      on_safe_(std::move(on_safe)),
      thread_([this](const std::stop_token& stop) { Serve(stop); }) {}

bool StandbyWatch::Have(Lsn position) {
  {
    const std::lock_guard lock(mutex_);
    if (position_.safe() >= position) return true;
    if (wanted_ >= position) return false;
    wanted_ = position;
  }
  asked_.notify_one();
  return false;
}

std::string StandbyWatch::BlindFor(milliseconds limit) const {
  const std::lock_guard lock(mutex_);
  if (!blind_since_ || std::chrono::steady_clock::now() - *blind_since_ < limit) return {};
  return why_blind_;
}

std::string StandbyWatch::Last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

void StandbyWatch::Forget() {
  const std::lock_guard lock(mutex_);
  position_ = {};
  wanted_ = {};
  last_.clear();
  blind_since_.reset();
  ++term_;
}

void StandbyWatch::Serve(const std::stop_token& stop) {
  std::optional<pg::Connection> connection;
  std::uint64_t connected_in = 0;
  milliseconds pause = kShortestPause;
  std::unique_lock lock(mutex_);
  const auto behind = [this] { return wanted_ > position_.safe(); };
  while (asked_.wait(lock, stop, behind) && !stop.stop_requested()) {
    if (std::exchange(connected_in, term_) != term_) connection.reset();
    lock.unlock();
    try {
      const bool more = Look(connection, connected_in);
      pause = more ? kShortestPause : std::min(pause * 2, kLongestPause);
    } catch (const std::exception& fault) {
      logger_.Warn("the standbys' positions cannot be read", {{"why", fault.what()}});
      connection.reset();
      pause = kPauseAfterFault;
      Blind(fault.what());
    }
    lock.lock();
    if (behind()) asked_.wait_for(lock, stop, pause, [] { return false; });
  }
}

void StandbyWatch::Blind(const std::string& why) {
  const std::lock_guard lock(mutex_);
  if (!blind_since_) blind_since_ = std::chrono::steady_clock::now();
  why_blind_ = why;
}

bool StandbyWatch::Look(std::optional<pg::Connection>& connection, std::uint64_t term) {
  if (!connection) connection.emplace(database_);
  const auto rows = connection->Execute(sql::kStandbyPosition, pg::Column(slots_));
  const auto row = rows.Only();
  const auto written = ParseLsn(row.Get<std::string_view>(0));
  auto flushed = ParseLsn(row.Get<std::string_view>(1));
  if (!written || !flushed) return false;
  if (*flushed == Lsn{}) flushed.reset();
  {
    const std::lock_guard lock(mutex_);
    if (term != term_) return false;
    blind_since_.reset();
    last_ = row.Get<std::string>(2);
    const Lsn before = position_.safe();
    position_.Looked(*written, flushed);
    if (position_.safe() == before) return false;
  }
  on_safe_();
  return true;
}

}  // namespace countersign::relay
