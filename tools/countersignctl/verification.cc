#include "tools/countersignctl/verification.h"

#include <fmt/ostream.h>

#include <algorithm>
#include <charconv>
#include <thread>
#include <utility>

#include "libs/kafka/consumer.h"
#include "libs/pg/table_reader.h"
#include "services/outbox-relay/tail.h"
#include "tools/countersignctl/command.h"
#include "tools/countersignctl/interrupt.h"
#include "tools/countersignctl/replayer.h"
#include "tools/countersignctl/sql/queries.h"
#include "tools/countersignctl/time_argument.h"

namespace countersign::ctl {
namespace {

constexpr std::chrono::seconds kAnswerLimit{10};
constexpr std::chrono::milliseconds kSlotPoll{100};
// Kafka's times are the relay's clock, the rows' the database's.
constexpr std::chrono::minutes kClockMargin{5};
constexpr std::size_t kLateAtOnce = 1'000;

EventFacts FactsOf(const relay::OutboxRow& row, std::string_view source) {
  return {.event_id = row.event_id,
          .source = source,
          .topic = row.topic,
          .key = row.key,
          // As in the relay's header.
          .type = row.type.empty() ? row.topic : row.type,
          .seq = row.seq,
          .value = row.payload};
}

}  // namespace

Verification::Verification(VerificationSettings settings, pg::Connection& connection,
                           std::ostream& news)
    : settings_(std::move(settings)),
      connection_(connection),
      news_(news),
      verdict_(settings_.until) {
  for (const auto& name : settings_.tables) {
    auto table = std::make_unique<OutboxTable>(connection_, name, settings_.view);
    if (!table->HasTime()) throw Failure(name + " has no column of time: there is no range of it");
    tables_.push_back(std::move(table));
  }
}

void Verification::Run() {
  ReadParked();
  for (const auto& table : tables_) ReadLog(*table);
  verdict_.RowsComplete();
  const bool all_relayed = AwaitRelay();
  ReadTopics();
  for (const auto& table : tables_) ReadLateRows(*table);
  verdict_.Finish(all_relayed);
}

// They are confirmed, and wait in PostgreSQL.
void Verification::ReadParked() {
  if (!relay::CanReadParkedKeys(connection_)) return;
  parked_ = relay::ReadParkedKeys(connection_, settings_.view.slot);
  if (parked_.empty()) return;
  notes_.push_back(fmt::format("{} keys are parked: their rows wait (countersignctl relay parked)",
                               parked_.size()));
}

bool Verification::IsParked(const pg::TableName& table, const relay::OutboxRow& row,
                            std::int64_t id) const {
  if (parked_.empty()) return false;
  const auto found =
      parked_.find({.table = table, .topic = std::string(row.topic), .key = std::string(row.key)});
  return found != parked_.end() && id >= found->second.first_id;
}

void Verification::ThrowIfInterrupted() const {
  if (Interrupt::Asked()) throw Interrupted();
}

RowFilter Verification::FilterFor(OutboxTable& table) const {
  // What came before its oldest row is gone from the log, and may well be in Kafka.
  const auto oldest = table.Oldest();
  const Instant since = oldest ? std::max(settings_.since.value_or(*oldest), *oldest)
                               : settings_.since.value_or(settings_.until);
  return {.since = since, .until = settings_.until, .topics = settings_.topics};
}

void Verification::ReadLog(OutboxTable& table) {
  RowFilter filter = FilterFor(table);
  earliest_ = std::min(earliest_, filter.since);
  verdict_.AddSource(table.source(), filter.since);
  const auto name = pg::ParseTableName(table.name()).value_or(pg::TableName{});
  std::optional<std::int64_t> next = filter.after;
  while (next) {
    filter.after = *next;
    next = table.Page(filter, [&](const relay::OutboxRow& row, std::int64_t id) {
      verdict_.AddRow(
          {.event = FactsOf(row, table.source()), .id = id, .parked = IsParked(name, row, id)});
    });
    if (verdict_.rows() > settings_.most_rows) {
      throw Failure(fmt::format("more than {} rows: choose a shorter range, or raise --max-rows",
                                settings_.most_rows));
    }
    ThrowIfInterrupted();
    if (ticker_.Due()) fmt::print(news_, "{} rows read of the logs\n", verdict_.rows());
  }
}

bool Verification::AwaitRelay() {
  const auto& slot = settings_.view.slot;
  const auto written = connection_.Execute(sql::kWalEnd).Only().Get<std::string>("written");
  const auto deadline = std::chrono::steady_clock::now() + settings_.wait;
  for (;;) {
    const auto rows = connection_.Execute(sql::kSlotPassed, slot, written);
    if (rows.empty()) {
      notes_.push_back(fmt::format(
          "there is no slot {}: a row that the relay has not had yet counts as lost", slot));
      return true;
    }
    if (rows[0].Get<bool>("passed")) return true;
    if (std::chrono::steady_clock::now() > deadline) {
      notes_.push_back(
          fmt::format("the relay has confirmed {} and not {}: rows without a record are not judged",
                      rows[0].Get<std::string>("confirmed"), written));
      return false;
    }
    ThrowIfInterrupted();
    if (ticker_.Due()) fmt::print(news_, "waiting for the relay to confirm {}\n", written);
    std::this_thread::sleep_for(kSlotPoll);
  }
}

// Where the range begins in each partition.
std::vector<std::int64_t> Verification::Begin(const std::string& topic) {
  kafka::ConsumerSettings settings;
  settings.client = settings_.cluster;
  const kafka::Consumer consumer(settings);
  const int partitions = consumer.Partitions(topic, kAnswerLimit);
  if (partitions == 0) return {};
  auto offsets = consumer.OffsetsAt(topic, partitions, earliest_ - kClockMargin, kAnswerLimit);
  for (int partition = 0; partition < partitions; ++partition) {
    const auto low = consumer.QueryWatermarks({topic, partition}, kAnswerLimit).low;
    if (low > 0 && offsets[static_cast<std::size_t>(partition)] <= low) {
      notes_.push_back(fmt::format(
          "{}/{} begins at offset {}: rows whose records Kafka has deleted count as lost", topic,
          partition, low));
    }
  }
  return offsets;
}

void Verification::ReadTopics() {
  auto topics = settings_.topics.empty() ? verdict_.Topics() : settings_.topics;
  relay::TailReader reader(settings_.cluster, [this] { ThrowIfInterrupted(); });
  for (const auto& topic : topics) {
    const auto read = reader.Read(topic, Begin(topic),
                                  [this](const kafka::Message& message) { AddRecord(message); });
    if (read == relay::Tail::kNoTopic) notes_.push_back("there is no topic " + topic);
    if (read == relay::Tail::kOutOfRange) {
      throw Failure(fmt::format("{} was made anew while it was read", topic));
    }
  }
}

void Verification::AddRecord(const kafka::Message& message) {
  const auto header = [&](const char* name) {
    return message.Header(name).value_or(std::string_view{});
  };
  const auto row_id = header("outbox_id");
  TopicRecord record{.event = {.event_id = header("ce_id"),
                               .source = header("ce_source"),
                               .topic = message.topic(),
                               .key = message.key().value_or(std::string_view{}),
                               .type = header("ce_type"),
                               .seq = header("ce_sequence"),
                               .value = message.value()},
                     .partition = message.partition(),
                     .offset = message.offset(),
                     .time = ParseRfc3339(header("ce_time")).value_or(message.time()),
                     .replayed = message.Header(kReplayHeader).has_value()};
  // What is no number stays 0: not known.
  (void)std::from_chars(row_id.data(), row_id.data() + row_id.size(), record.row_id);
  verdict_.AddRecord(record);
  ++records_read_;
  if (ticker_.Due()) fmt::print(news_, "{} records read of the topics\n", records_read_);
}

void Verification::ReadLateRows(OutboxTable& table) {
  std::vector<UnknownRecord> asked;
  for (const auto& [id, record] : verdict_.Unknown()) {
    if (record.source == table.source()) asked.push_back(record);
  }
  std::ranges::sort(asked, {}, &UnknownRecord::row_id);
  for (std::size_t first = 0; first < asked.size(); first += kLateAtOnce) {
    const auto last = std::min(first + kLateAtOnce, asked.size());
    // By the records' own word about their rows, so that the index serves.
    RowFilter filter{.after = asked[first].row_id - 1, .last = asked[last - 1].row_id};
    for (auto i = first; i < last; ++i) filter.event_ids.push_back(asked[i].event_id);
    std::optional<std::int64_t> next = filter.after;
    while (next) {
      filter.after = *next;
      next = table.Page(filter, [&](const relay::OutboxRow& row, std::int64_t) {
        verdict_.Explain(FactsOf(row, table.source()));
      });
      ThrowIfInterrupted();
    }
  }
}

}  // namespace countersign::ctl
