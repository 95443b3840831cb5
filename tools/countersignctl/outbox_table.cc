#include "tools/countersignctl/outbox_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "libs/config/keys.h"
#include "libs/config/yaml_file.h"
#include "services/outbox-relay/config.h"
#include "tools/countersignctl/command.h"
#include "tools/countersignctl/sql/queries.h"

namespace countersign::ctl {
namespace {

std::int64_t ToId(std::string_view text, const std::string& table) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Failure(fmt::format("the ids of {} are no whole numbers", table));
  }
  return id;
}

}  // namespace

RelayView ReadRelayView(const Arguments& arguments) {
  const std::string path = arguments.Text(kRelayConfig.name);
  relay::Config config;
  if (!path.empty()) {
    config::Keys keys("RELAY");
    relay::Bind(config, keys);
    const auto file = config::ReadYaml(path);
    if (!file.faults.empty()) throw Failure(file.faults.front());
    // Addresses and secrets are the relay's own; what is required there need not be here.
    for (const auto& value : file.values) {
      const auto key = std::ranges::find(keys.all(), value.key, &config::Key::name);
      const std::string where = fmt::format("{}:{}: {}", path, value.line, value.key);
      if (key == keys.all().end()) throw Failure(where + ": no such key");
      if (key->secret) continue;
      if (const auto refusal = key->set(value.text)) throw Failure(where + ": " + *refusal);
    }
  }
  return {.columns = config.relay.columns,
          .source_prefix = config.relay.source_prefix,
          .slot = config.relay.slot};
}

OutboxTable::OutboxTable(pg::Connection& connection, std::string_view name, const RelayView& view)
    : connection_(connection) {
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) {
    throw UsageFault(fmt::format("{} is no table: schema.table is needed", name));
  }
  const std::string schema(name.substr(0, dot));
  const std::string table(name.substr(dot + 1));
  const auto rows = connection_.Execute(sql::kOutboxColumns, schema, table);
  if (rows.empty()) throw Failure(fmt::format("there is no table {}", name));
  relay::Relation relation{.oid = 0, .schema = schema, .table = table, .columns = {}};
  for (const auto& row : rows) relation.columns.push_back(row.Get<std::string_view>(0));
  auto mapped = relay::MapTable(relation, view.columns, view.source_prefix);
  if (!mapped) throw Failure(mapped.error());
  table_ = *std::move(mapped);
  if (table_.id < 0) {
    throw Failure(fmt::format("table {} has no column \"{}\" to read it in the order of ids",
                              table_.name, view.columns.id));
  }
  const std::string time = HasTime() ? view.columns.occurred_at : std::string();
  const auto statements =
      connection_.Execute(sql::kOutboxStatements, schema, table, view.columns.id,
                          view.columns.event_id, view.columns.key, view.columns.topic, time);
  const auto made = statements.Only();
  page_ = made.Get<std::string>("page");
  count_ = made.Get<std::string>("count");
  oldest_ = made.Get<std::string>("oldest");
}

std::map<std::string, std::int64_t> OutboxTable::CountByTopic(const RowFilter& filter) {
  const std::string name = "count " + table_.name;
  const auto rows =
      connection_.Execute({name, count_}, filter.after, filter.last, filter.since, filter.until,
                          pg::Column(filter.event_ids), pg::Column(filter.topics), filter.key);
  std::map<std::string, std::int64_t> counts;
  for (const auto& row : rows) {
    counts.emplace(row.Get<std::string>("topic"), row.Get<std::int64_t>("rows"));
  }
  return counts;
}

std::optional<Instant> OutboxTable::Oldest() {
  const std::string name = "oldest " + table_.name;
  const auto rows = connection_.Execute({name, oldest_});
  return rows.empty() ? std::nullopt : rows[0].Get<std::optional<Instant>>(0);
}

std::optional<std::int64_t> OutboxTable::Page(const RowFilter& filter, const OnRow& on_row) {
  const std::string name = "page " + table_.name;
  const auto rows = connection_.Execute({name, page_}, filter.after, filter.last, filter.since,
                                        filter.until, pg::Column(filter.event_ids),
                                        pg::Column(filter.topics), filter.key, kPageRows);
  std::vector<relay::Field> fields(table_.columns);
  std::int64_t last = filter.after;
  for (const auto& values : rows) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const int column = static_cast<int>(i);
      fields[i].present = !values.IsNull(column);
      fields[i].text =
          fields[i].present ? values.Get<std::string_view>(column) : std::string_view{};
    }
    const auto row = relay::ReadRow(table_, fields);
    if (!row) throw Failure(row.error());
    last = ToId(row->id, table_.name);
    on_row(*row, last);
  }
  if (static_cast<std::int64_t>(rows.size()) < kPageRows) return std::nullopt;
  return last;
}

}  // namespace countersign::ctl
