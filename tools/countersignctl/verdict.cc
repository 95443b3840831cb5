#include "tools/countersignctl/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <utility>

#include "libs/crypto/digest.h"
#include "services/outbox-relay/tail.h"

namespace countersign::ctl {
namespace {

// The lengths keep ("ab", "c") and ("a", "bc") apart.
std::uint64_t Digest(std::initializer_list<std::string_view> parts) {
  std::string joined;
  for (const auto part : parts) {
    const std::uint64_t size = part.size();
    joined.append(reinterpret_cast<const char*>(&size), sizeof size);
    joined += part;
  }
  const auto whole = crypto::Sha256(AsBytes(joined));
  std::uint64_t first = 0;
  std::memcpy(&first, whole.data(), sizeof first);
  return first;
}

}  // namespace

std::string_view NameOf(Finding finding) {
  switch (finding) {
    case Finding::kLost:
      return "lost";
    case Finding::kWaiting:
      return "waiting";
    case Finding::kInvented:
      return "invented";
    case Finding::kAltered:
      return "altered";
    case Finding::kOutOfOrder:
      return "out of order";
    case Finding::kMovedKey:
      return "keys on two partitions";
  }
  return "";
}

std::uint32_t Verdict::Number(Numbers& numbers, std::string_view name) {
  if (const auto known = numbers.find(name); known != numbers.end()) return known->second;
  const auto next = static_cast<std::uint32_t>(numbers.size());
  numbers.emplace(name, next);
  return next;
}

std::uint64_t Verdict::DigestOf(const EventFacts& event) {
  return Digest({event.key, event.type, event.seq, event.value});
}

void Verdict::AddSource(std::string_view source, Instant since) {
  Number(sources_, source);
  sinces_.resize(sources_.size(), since);
  since_ = std::min(since_, since);
}

void Verdict::AddRow(const LogRow& row) {
  rows_.push_back({.identity = relay::IdentityOf(row.event.event_id),
                   .digest = DigestOf(row.event),
                   .id = row.id,
                   .topic = Number(topics_, row.event.topic),
                   .source = static_cast<std::uint16_t>(Number(sources_, row.event.source)),
                   .is_uuid = ParseUuid(row.event.event_id).has_value(),
                   .parked = row.parked});
}

void Verdict::RowsComplete() {
  std::sort(rows_.begin(), rows_.end(), [](const Entry& a, const Entry& b) {
    return a.identity != b.identity ? a.identity < b.identity : a.id < b.id;
  });
}

// Of several rows with one event id the first that is like the record and has none yet.
Verdict::Entry* Verdict::Find(const EventFacts& event, std::uint64_t digest) {
  const Uuid identity = relay::IdentityOf(event.event_id);
  const auto first =
      std::lower_bound(rows_.begin(), rows_.end(), identity,
                       [](const Entry& entry, const Uuid& id) { return entry.identity < id; });
  Entry* like = nullptr;
  Entry* any = nullptr;
  for (auto entry = first; entry != rows_.end() && entry->identity == identity; ++entry) {
    if (any == nullptr) any = &*entry;
    if (entry->digest != digest) continue;
    if (!entry->seen) return &*entry;
    if (like == nullptr) like = &*entry;
  }
  return like != nullptr ? like : any;
}

void Verdict::AddRecord(const TopicRecord& record) {
  const auto source = sources_.find(record.event.source);
  // Whoever has no source at all must have been forged: no relay leaves it out.
  if (source == sources_.end() && !record.event.source.empty()) return;
  const auto digest = DigestOf(record.event);
  Entry* entry = Find(record.event, digest);
  if (entry == nullptr) {
    const Instant since = source == sources_.end() ? since_ : sinces_[source->second];
    if (record.time >= since && record.time < until_) AddUnknown(record, digest);
    return;
  }
  ++records_;
  const auto topic = topics_.find(record.event.topic);
  // A replay may go to another topic.
  const bool elsewhere =
      !record.replayed && (topic == topics_.end() || topic->second != entry->topic);
  const bool other_log = source == sources_.end() || source->second != entry->source;
  if (elsewhere || other_log || digest != entry->digest) {
    Note(Finding::kAltered, Describe(*entry) + " at " + Where(record));
  }
  const bool first = !entry->seen;
  entry->seen = true;
  if (record.replayed) {
    ++replayed_;
    return;
  }
  if (!first) ++duplicates_;
  if (!elsewhere) Order(record, *entry, first);
}

void Verdict::Order(const TopicRecord& record, const Entry& entry, bool first) {
  const auto& event = record.event;
  auto& lane = lanes_[Digest({event.source, event.topic, event.key})];
  if (lane.partition < 0) lane.partition = record.partition;
  if (lane.partition != record.partition) {
    // Partitions are not read in an order, so that nothing is said of it.
    if (!std::exchange(lane.moved, true)) {
      Note(Finding::kMovedKey, fmt::format("key {} of {}: {} and {}", event.key, event.topic,
                                           lane.partition, record.partition));
    }
    return;
  }
  if (!first) return;
  if (entry.id <= lane.last_id) {
    Note(Finding::kOutOfOrder, Describe(entry) + " at " + Where(record));
    return;
  }
  lane.last_id = entry.id;
}

void Verdict::AddUnknown(const TopicRecord& record, std::uint64_t digest) {
  ++records_;
  if (record.replayed) ++replayed_;
  const std::string where = Where(record);
  if (record.event.event_id.empty()) return Note(Finding::kInvented, "no event id at " + where);
  if (unknown_.size() >= kMostUnknown) {
    return Note(Finding::kInvented, fmt::format("event {} at {}", record.event.event_id, where));
  }
  const auto [known, added] =
      unknown_.try_emplace(std::string(record.event.event_id),
                           UnknownRecord{.event_id = std::string(record.event.event_id),
                                         .source = std::string(record.event.source),
                                         .where = where,
                                         .digest = digest,
                                         .row_id = record.row_id});
  if (!added && !record.replayed) ++duplicates_;
}

void Verdict::Explain(const EventFacts& row) {
  const auto found = unknown_.find(row.event_id);
  if (found == unknown_.end()) return;
  const auto& record = found->second;
  if (record.digest != DigestOf(row) || record.source != row.source) {
    Note(Finding::kAltered, fmt::format("event {} at {}", record.event_id, record.where));
  }
  unknown_.erase(found);
}

void Verdict::Finish(bool all_relayed) {
  for (const auto& [id, record] : unknown_) {
    Note(Finding::kInvented, fmt::format("event {} at {}", id, record.where));
  }
  unknown_.clear();
  for (const Entry& entry : rows_) {
    if (entry.seen) continue;
    const bool lost = all_relayed && !entry.parked;
    Note(lost ? Finding::kLost : Finding::kWaiting, Describe(entry));
  }
}

bool Verdict::Clean() const {
  return std::ranges::all_of(found_, [](const Found& found) { return found.count == 0; });
}

std::vector<std::string> Verdict::Topics() const {
  std::vector<std::string> names;
  for (const auto& [name, number] : topics_) names.push_back(name);
  return names;
}

void Verdict::Note(Finding finding, const std::string& what) {
  auto& found = found_[static_cast<std::size_t>(finding)];
  ++found.count;
  if (found.examples.size() < kExamples) found.examples.push_back(what);
}

std::string Verdict::Where(const TopicRecord& record) {
  return fmt::format("{}/{}@{}", record.event.topic, record.partition, record.offset);
}

std::string Verdict::Describe(const Entry& entry) const {
  const auto source = std::ranges::find_if(
      sources_, [&](const auto& known) { return known.second == entry.source; });
  const std::string row =
      fmt::format("row {} of {}", entry.id, source == sources_.end() ? "?" : source->first);
  return entry.is_uuid ? fmt::format("event {} ({})", ToString(entry.identity), row) : row;
}

}  // namespace countersign::ctl
