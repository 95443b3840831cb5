#include "services/outbox-relay/domain/outbox_row.h"

#include <algorithm>
#include <array>

namespace countersign::relay {
namespace {

bool EqualsIgnoringCase(std::string_view name, std::string_view lower) {
  return std::ranges::equal(name, lower, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

// Set by the relay alone: a row must not be able to pass itself off as another event, not even to
// a consumer that reads header names as HTTP does.
bool IsReserved(std::string_view name) {
  return EqualsIgnoringCase(name.substr(0, 3), "ce_") || EqualsIgnoringCase(name, "content-type") ||
         EqualsIgnoringCase(name, "outbox_id") || EqualsIgnoringCase(name, "commit_lsn") ||
         name.empty();
}

}  // namespace

Readable<Table> MapTable(const Relation& relation, const ColumnNames& names,
                         std::string_view source_prefix) {
  Table table{.name = std::string(relation.schema) + "." + std::string(relation.table),
              .schema = std::string(relation.schema),
              .table = std::string(relation.table),
              .source = std::string(source_prefix) + std::string(relation.schema),
              .columns = relation.columns.size()};
  struct Wanted {
    const char* meaning;
    const std::string* name;
    int* at;
    bool always;
  };
  const std::array<Wanted, 9> all = {
      {{"event_id", &names.event_id, &table.event_id, true},
       {"topic", &names.topic, &table.topic, true},
       {"key", &names.key, &table.key, true},
       {"payload", &names.payload, &table.payload, true},
       {"id", &names.id, &table.id, false},
       {"type", &names.type, &table.type, false},
       {"seq", &names.seq, &table.seq, false},
       {"headers", &names.headers, &table.headers, false},
       {"occurred_at", &names.occurred_at, &table.occurred_at, false}}};
  for (const auto& wanted : all) {
    const auto found = std::ranges::find(relation.columns, *wanted.name);
    if (found != relation.columns.end()) {
      *wanted.at = static_cast<int>(found - relation.columns.begin());
      continue;
    }
    const bool listed = std::ranges::find(names.required, wanted.meaning) != names.required.end();
    if (wanted.always || listed) {
      return tl::unexpected("table " + table.name + " has no column \"" + *wanted.name + "\" for " +
                            wanted.meaning);
    }
  }
  return table;
}

Readable<OutboxRow> ReadRow(const Table& table, const std::vector<Field>& fields) {
  if (fields.size() != table.columns) {
    return tl::unexpected("a row of " + table.name + " has another number of columns than it said");
  }
  const auto text = [&](int at) {
    return at < 0 ? std::string_view{} : fields[static_cast<std::size_t>(at)].text;
  };
  const OutboxRow row{.event_id = text(table.event_id),
                      .topic = text(table.topic),
                      .key = text(table.key),
                      .payload = text(table.payload),
                      .id = text(table.id),
                      .type = text(table.type),
                      .seq = text(table.seq),
                      .headers = text(table.headers),
                      .occurred_at = text(table.occurred_at)};
  if (row.event_id.empty()) return tl::unexpected("a row of " + table.name + " has no event id");
  if (row.topic.empty()) {
    return tl::unexpected("event " + std::string(row.event_id) + " names no topic");
  }
  if (!fields[static_cast<std::size_t>(table.payload)].present) {
    return tl::unexpected("event " + std::string(row.event_id) + " has no payload");
  }
  return row;
}

Readable<const std::vector<Header>*> HeaderBuilder::Build(const OutboxRow& row,
                                                          std::string_view source,
                                                          std::string_view commit_lsn) {
  headers_.clear();
  headers_.emplace_back("ce_specversion", "1.0");
  headers_.emplace_back("ce_id", row.event_id);
  headers_.emplace_back("ce_source", source);
  // CloudEvents wants a type; a table without that column has one kind of event a topic.
  headers_.emplace_back("ce_type", row.type.empty() ? row.topic : row.type);
  headers_.emplace_back("ce_subject", row.key);
  if (!row.occurred_at.empty()) {
    time_ = ToRfc3339(row.occurred_at);
    if (time_.empty()) {
      return tl::unexpected("event " + std::string(row.event_id) + ": its time cannot be read");
    }
    headers_.emplace_back("ce_time", time_);
  }
  if (!row.seq.empty()) headers_.emplace_back("ce_sequence", row.seq);
  headers_.emplace_back("content-type", "application/json");
  if (!row.headers.empty() && row.headers != "{}") {
    const auto own = json_.Read(row.headers);
    if (!own) {
      return tl::unexpected("event " + std::string(row.event_id) +
                            ": its headers are not a flat JSON object of strings");
    }
    for (const auto& [name, value] : **own) {
      if (IsReserved(name)) {
        return tl::unexpected("event " + std::string(row.event_id) +
                              ": its headers use a name that is the relay's");
      }
      headers_.emplace_back(name, value);
    }
  }
  if (!row.id.empty()) headers_.emplace_back("outbox_id", row.id);
  if (!commit_lsn.empty()) headers_.emplace_back("commit_lsn", commit_lsn);
  return &headers_;
}

std::string ToRfc3339(std::string_view timestamptz) {
  // 2026-01-02 03:04:05[.ffffff]+00
  constexpr std::string_view kPattern = "dddd-dd-dd dd:dd:dd";
  constexpr std::size_t kDigits = 6;
  if (!timestamptz.ends_with("+00")) return {};
  timestamptz.remove_suffix(3);
  if (timestamptz.size() < kPattern.size()) return {};
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (std::size_t i = 0; i < kPattern.size(); ++i) {
    const bool fits = kPattern[i] == 'd' ? is_digit(timestamptz[i]) : timestamptz[i] == kPattern[i];
    if (!fits) return {};
  }
  auto fraction = timestamptz.substr(kPattern.size());
  if (!fraction.empty()) {
    if (fraction.front() != '.' || fraction.size() < 2 || fraction.size() > kDigits + 1) return {};
    fraction.remove_prefix(1);
    if (!std::ranges::all_of(fraction, is_digit)) return {};
  }
  std::string text(timestamptz.substr(0, kPattern.size()));
  text[10] = 'T';
  text += '.';
  text += fraction;
  text.append(kDigits - fraction.size(), '0');
  text += 'Z';
  return text;
}

}  // namespace countersign::relay
