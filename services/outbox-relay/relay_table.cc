// The table source, for databases that give out no replication rights: what is committed between
// two snapshots is read from the tables, in the order of the ids, which is the order per key. A
// transaction that stays open holds nobody up, and when it commits it is in the next difference,
// however old its ids and its number are.
#include <algorithm>
#include <memory>
#include <utility>

#include "libs/core/failpoint.h"
#include "services/outbox-relay/beginning.h"
#include "services/outbox-relay/relay.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// PostgreSQL writes its WAL to disk by itself within three times wal_writer_delay.
constexpr std::chrono::seconds kFlushLimit{10};
constexpr milliseconds kFlushPoll{50};

}  // namespace

void Relay::FollowTables(const std::stop_token& stop) {
  try {
    if (!OpenTables(stop)) return;
    while (!stop.stop_requested()) {
      ReleaseWanted(stop);
      const bool rows = control_.MayRead() ? RelayBatch(stop) : LookAtTheServer();
      Rest(stop, SteadyClock::now() + cursor_->NextPause(rows));
    }
  } catch (const pg::ReplicationFault&) {
    if (!stop.stop_requested()) throw;
    // A question was given up, and nothing more can be asked.
    leadership_.GiveUpReader();
  }
}

bool Relay::OpenTables(const std::stop_token& stop) {
  auto reader = std::make_unique<pg::TableReader>(settings_.database, [this, &stop] {
    leadership_.StayAwake();
    writer_.Drain();
    return !stop.stop_requested();
  });
  // Before anything is read: what another relay still does would make it untrue.
  if (!AwaitLock([&] { return reader->TryLock(settings_.slot); }, stop)) return false;
  const auto server = reader->Identify();
  const auto now = reader->Now();
  leadership_.ReadTables(std::move(reader), server);
  cursor_.emplace(settings_, logger_);
  rows_.OfCommit({});
  rows_.ForgetTables();
  cursor_->RefuseRowsFromElsewhere(*leadership_.reader());
  lanes_.Load();
  refusals_.BeginAgain();
  const auto checkpoint = checkpoints_.ReadNewest();
  const auto start = DecideWithTables(settings_, server, now, checkpoint);
  auto resumption = start == Start::kMakeSlot ? BeginTablesNow(now, stop)
                                              : ResumeWithTables(settings_, checkpoint, logger_);
  if (resumption.settled) cursor_->StandAt(resumption.settled->snapshot);
  progress_.Resume(std::move(resumption));
  // What came before could take longer than that.
  leadership_.reader()->EndIdleAfter(settings_.takeover_after);
  leadership_.BeAwake();
  logger_.Info("following the tables", {{"slot", settings_.slot},
                                        {"since", cursor_->snapshot()},
                                        {"in_kafka_already", progress_.SeenInKafka()}});
  observer_.Trouble({});
  return true;
}

// From a moment that a crash of the server cannot undo, and that is remembered before anything else
// is: else a start that is cut short would begin later.
Resumption Relay::BeginTablesNow(const pg::Moment& now, const std::stop_token& stop) {
  Checkpoint first{.system_id = leadership_.server()->system_id,
                   .timeline = leadership_.server()->timeline,
                   .position = now.flushed,
                   .settled = SettledPoint{.snapshot = now.snapshot},
                   .rebuilding = true};
  BatchSettling durable({});
  durable.Read({.snapshot = now.snapshot, .written = now.written}, {}, 0);
  const auto limit = SteadyClock::now() + kFlushLimit;
  for (durable.Flushed(now.flushed); !durable.Confirm(0);) {
    if (stop.stop_requested() || SteadyClock::now() > limit) {
      throw pg::ReplicationFault("not_flushed", "the database does not write its WAL to disk");
    }
    waiter_.Pause(stop, kFlushPoll);
    first.position = leadership_.reader()->Now().flushed;
    durable.Flushed(first.position);
  }
  checkpoints_.WriteAhead(first);
  return {.from = first.position, .settled = first.settled, .batches = true};
}

bool Relay::RelayBatch(const std::stop_token& stop) {
  // What was committed before it was asked for is visible from here on.
  const auto drain = control_.WantsDrain();
  auto moment = cursor_->Open(*leadership_.reader());
  leadership_.Answered();
  leadership_.Saw(moment.flushed);
  for (std::size_t table = 0; table < cursor_->tables().size(); ++table) {
    if (!RelayRows(*leadership_.reader(), table, cursor_->tables()[table], stop)) return true;
  }
  cursor_->Close(*leadership_.reader(), moment);
  const bool rows = progress_.acknowledgements().HasOpen();
  progress_.EndBatch({.taken = {.snapshot = std::move(moment.snapshot), .written = moment.written},
                      .flushed = moment.flushed});
  if (drain) control_.AllRead(*drain);
  if (rows) observer_.TransactionRead();
  return rows;
}

bool Relay::RelayRows(pg::TableReader& reader, std::size_t query, const pg::TableName& table,
                      const std::stop_token& stop) {
  std::vector<Field> fields;
  bool stopped = false;
  bool more = true;
  while (more && !stopped) {
    writer_.Drain();
    observer_.Progress(progress_.acknowledgements(), leadership_.seen());
    leadership_.SendStatusIfDue();
    writer_.EndRowsIfDue();
    more = reader.Fetch(query, [&](const pg::RowValues& values) {
      if (stopped) return;
      if (fields.empty()) {
        rows_.DescribeReadTable(table, reader.Columns(query));
        fields.resize(values.size());
      }
      // No row of this batch was committed before the one before it.
      if (!progress_.acknowledgements().HasOpen()) progress_.Begin(cursor_->CommittedAfter(), 0);
      for (std::size_t i = 0; i < values.size(); ++i) {
        fields[i] = {.present = values[i] != nullptr,
                     .text = values[i] == nullptr ? std::string_view{} : values[i]};
      }
      Failpoint("after_read");
      stopped = !RelayRow(fields, stop);
    });
    if (cursor_) leadership_.Answered();
  }
  return !stopped;
}

// Instead of a batch, while nothing may be read: what was read settles when the server's WAL is on
// disk behind it.
bool Relay::LookAtTheServer() {
  const auto flushed = leadership_.reader()->Now().flushed;
  leadership_.Answered();
  leadership_.Saw(flushed);
  progress_.Flushed(flushed);
  return false;
}

void Relay::Rest(const std::stop_token& stop, SteadyTime until) {
  const auto wishes = control_.Wishes();
  while (!stop.stop_requested()) {
    leadership_.StayAwake();
    writer_.Drain();
    checkpoints_.WriteIfDue();
    observer_.Progress(progress_.acknowledgements(), leadership_.seen());
    MindWishes();
    if (control_.Wishes() != wishes) until = {};
    const auto now = SteadyClock::now();
    if (now >= until && !progress_.acknowledgements().Full()) return;
    leadership_.Keep();
    const auto left = std::max<SteadyClock::duration>(until - now, TableCursor::kShortestPause);
    waiter_.Wait(std::min(std::chrono::ceil<milliseconds>(left), leadership_.interval()));
  }
}

}  // namespace countersign::relay
