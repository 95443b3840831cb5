#include <fmt/ostream.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <charconv>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "libs/core/uuid.h"
#include "tools/countersignctl/cluster.h"
#include "tools/countersignctl/command.h"
#include "tools/countersignctl/database.h"
#include "tools/countersignctl/interrupt.h"
#include "tools/countersignctl/outbox_table.h"
#include "tools/countersignctl/replayer.h"
#include "tools/countersignctl/ticker.h"
#include "tools/countersignctl/time_argument.h"
#include "tools/countersignctl/words.h"

namespace countersign::ctl {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;
using Counts = std::map<std::string, std::int64_t>;

constexpr std::int64_t kAskAbove = 1'000;
constexpr std::chrono::seconds kLastAcknowledgements{60};
constexpr std::chrono::seconds kInterruptLimit{10};
constexpr milliseconds kBeat{100};

bool ToNumber(std::string_view text, std::int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// "5-9": ids from 5 to 9, both included.
void ReadIds(std::string_view text, RowFilter& filter) {
  const auto dash = text.find('-');
  std::int64_t from = 0;
  if (dash == std::string_view::npos || !ToNumber(text.substr(0, dash), from) ||
      !ToNumber(text.substr(dash + 1), filter.last) || filter.last < from) {
    throw UsageFault("--ids must be FROM-TO, two whole numbers, for example 100-250");
  }
  filter.after = from - 1;
}

// A UUID is found however its letters are written.
std::vector<std::string> ReadEventIds(const std::string& text) {
  auto ids = SplitAtCommas(text);
  for (std::size_t i = 0, given = ids.size(); i < given; ++i) {
    if (const auto uuid = ParseUuid(ids[i])) ids.push_back(ToString(*uuid));
  }
  return ids;
}

RowFilter ReadFilter(const Arguments& arguments) {
  const Instant now = SystemClock().Now();
  RowFilter filter;
  bool narrowed = false;
  for (const char* option : {"event-id", "key", "since", "until", "ids"}) {
    narrowed = narrowed || !arguments.Text(option).empty();
  }
  if (!narrowed) {
    throw UsageFault("what to replay is needed: --event-id, --key, --since, --until or --ids");
  }
  if (const auto ids = arguments.Text("ids"); !ids.empty()) ReadIds(ids, filter);
  filter.event_ids = ReadEventIds(arguments.Text("event-id"));
  if (const auto key = arguments.Text("key"); !key.empty()) filter.key = key;
  filter.since = TimeOption(arguments, "since", now).value_or(Instant::min());
  const auto until = TimeOption(arguments, "until", now);
  // What is written while it runs is the relay's.
  if (until || filter.since != Instant::min()) filter.until = until.value_or(now);
  if (filter.since >= filter.until) throw UsageFault("--since must be before --until");
  filter.topics = SplitAtCommas(arguments.Text("topic"));
  return filter;
}

std::int64_t Sum(const Counts& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0},
                         [](std::int64_t sum, const auto& topic) { return sum + topic.second; });
}

void Confirm(const Arguments& arguments, std::int64_t rows, const Streams& streams) {
  if (rows <= kAskAbove || arguments.Flag("yes")) return;
  if (isatty(STDIN_FILENO) == 0) {
    throw UsageFault(fmt::format("{} rows: --yes is needed for more than {}", rows, kAskAbove));
  }
  fmt::print(streams.err, "{} rows will be produced again. Type yes to go on: ", rows);
  streams.err.flush();
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "yes") throw Failure("nothing was produced");
}

void PrintCounts(const Counts& counts, bool dry, const Arguments& arguments,
                 const std::string& table, const Streams& streams) {
  if (arguments.Flag("json")) {
    const nlohmann::json json = {
        {"table", table}, {"rows", Sum(counts)}, {"topics", counts}, {"dry_run", dry}};
    fmt::print(streams.out, "{}\n", json.dump(2));
    return;
  }
  for (const auto& [topic, rows] : counts) fmt::print(streams.out, "{:>10}  {}\n", rows, topic);
  fmt::print(streams.out, "{:>10}  {} {}\n", Sum(counts), dry ? "rows match in" : "replayed from",
             table);
}

// One run. Rows go in the order of their ids.
class Replay {
 public:
  Replay(const Arguments& arguments, const Streams& streams, OutboxTable& table, RowFilter filter,
         std::int64_t expected)
      : streams_(streams),
        table_(table),
        filter_(std::move(filter)),
        expected_(expected),
        rate_(arguments.Number("rate", 0, 10'000'000)),
        to_topic_(arguments.Text("to-topic")),
        replayer_(ClusterSettings(arguments), table.source(), to_topic_, [this] {
          Tell();
          return !Interrupt::Asked();
        }) {}

  // False if it was interrupted.
  bool Run() {
    try {
      while (!SendAll()) {
      }
    } catch (const std::exception&) {
      TellWhereItEnded();
      throw;
    }
    if (stopped_) TellWhereItEnded();
    return !stopped_;
  }
  [[nodiscard]] const Counts& produced() const { return produced_; }

 private:
  // False: to be called again, since Kafka refused a batch of which perhaps one record is to blame.
  bool SendAll() {
    try {
      std::optional<std::int64_t> next = filter_.after;
      while (next && !stopped_) {
        filter_.after = *next;
        next = table_.Page(filter_, [this](const relay::OutboxRow& row, std::int64_t id) {
          if (!stopped_) Take(row, id);
        });
      }
      const bool all = replayer_.Finish(stopped_ ? kInterruptLimit : kLastAcknowledgements);
      if (!all && !stopped_) throw Failure("kafka does not acknowledge");
      if (replayer_.OneByOne() && !stopped_)
        throw Failure("rows were dropped from the log meanwhile");
      return true;
    } catch (const Refusal& refusal) {
      if (replayer_.OneByOne() || stopped_) throw Failure(refusal.what());
      replayer_.BeginAnew();
      filter_.after = replayer_.done_until();
      return false;
    }
  }

  void Take(const relay::OutboxRow& row, std::int64_t id) {
    AwaitTurn();
    stopped_ = Interrupt::Asked() || !replayer_.Produce(row, id);
    if (stopped_) return;
    if (id <= last_taken_) return;
    last_taken_ = id;
    ++taken_;
    ++produced_[to_topic_.empty() ? std::string(row.topic) : to_topic_];
    Tell();
  }

  // Keeps --rate.
  void AwaitTurn() {
    if (rate_ == 0) return;
    const auto turn = began_ + std::chrono::nanoseconds(std::chrono::seconds(1)) * taken_ / rate_;
    while (!Interrupt::Asked() && SteadyClock::now() < turn) {
      Tell();
      const auto left = turn - SteadyClock::now();
      std::this_thread::sleep_for(std::min<SteadyClock::duration>(left, kBeat));
    }
  }

  void Tell() {
    if (!ticker_.Due()) return;
    fmt::print(streams_.err, "{} of {} rows in kafka, up to id {}\n", replayer_.acknowledged(),
               expected_, replayer_.done_until());
  }

  void TellWhereItEnded() const {
    const auto done = replayer_.done_until();
    if (done < 0) {
      fmt::print(streams_.err, "ended before the first row was in kafka\n");
      return;
    }
    fmt::print(streams_.err,
               "ended: kafka has every row up to id {}; go on with --ids {}-{} and the same "
               "options\n",
               done, done + 1, filter_.last);
  }

  const Streams& streams_;
  OutboxTable& table_;
  RowFilter filter_;
  std::int64_t expected_;
  std::int64_t rate_;
  std::string to_topic_;
  Ticker ticker_;
  Counts produced_;
  std::int64_t taken_ = 0;
  std::int64_t last_taken_ = -1;
  bool stopped_ = false;
  SteadyClock::time_point began_ = SteadyClock::now();
  Replayer replayer_;
};

int RunReplay(const Arguments& arguments, const Streams& streams) {
  const RowFilter filter = ReadFilter(arguments);
  const RelayView view = ReadRelayView(arguments);
  const bool dry = arguments.Flag("dry-run");
  if (!dry) (void)arguments.Required("brokers");
  auto connection = ConnectDatabase(arguments);
  OutboxTable table(connection, arguments.Required("table"), view);
  if (!table.HasTime() && (filter.since != Instant::min() || filter.until != Instant::max())) {
    throw Failure(fmt::format("{} has no column of time for --since and --until", table.name()));
  }
  const Counts counts = table.CountByTopic(filter);
  if (dry) {
    PrintCounts(counts, dry, arguments, table.name(), streams);
    return kOk;
  }
  const auto rows = Sum(counts);
  if (rows == 0) throw Failure(fmt::format("no row of {} matches", table.name()));
  Confirm(arguments, rows, streams);
  const Interrupt interrupt;
  Replay replay(arguments, streams, table, filter, rows);
  if (!replay.Run()) return kInterrupted;
  PrintCounts(replay.produced(), dry, arguments, table.name(), streams);
  return kOk;
}

}  // namespace

std::vector<Command> RelayReplayCommands() {
  return {
      {.words = "relay replay",
       .positionals = "",
       .summary = "Produce rows of an outbox table to Kafka again",
       .details =
           "The records are as the relay makes them (same ce_id), with header replay=1 and without "
           "commit_lsn,\nwhich only the WAL tells. The options that choose rows are combined: all "
           "must hold. Rows go in the\norder of their ids, 1,000 read at a time. Ctrl-C ends it "
           "and tells up to which id Kafka has them\n(exit 130). Consumers see events again, "
           "behind "
           "later ones of the same key: they must know by ce_id\nthat they had them. --event-id "
           "and "
           "--key read the whole table, unless --since or --ids make that short.",
       .options = ClusterOptions(
           {kDatabase,
            {"table", "SCHEMA.TABLE", "outbox table", "auth.event_log"},
            {"event-id", "ID,…", "these events"},
            {"key", "KEY", "events of this key"},
            {"since", "TIME", "written at this time or later: 2026-01-02T03:04:05Z, or 15m (ago)"},
            {"until", "TIME", "written before; with --since the default is now"},
            {"ids", "FROM-TO", "rows of these ids, both included"},
            {"topic", "NAME,…", "only rows of these topics"},
            {"to-topic", "NAME", "produce to this topic instead of the row's own"},
            {"rate", "N", "at most so many rows a second; 0: as fast as Kafka takes them", "0"},
            {"dry-run", "", "count the rows by topic, produce nothing"},
            {"yes", "", "do not ask before more than 1,000 rows"},
            kRelayConfig,
            kJson}),
       .run = RunReplay}};
}

}  // namespace countersign::ctl
