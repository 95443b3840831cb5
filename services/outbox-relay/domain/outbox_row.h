#pragma once
// From a row of an outbox table to a record: which column means what, and the CloudEvents headers
// (CloudEvents 1.0, Kafka protocol binding, binary mode). Knows no event type and no service.
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "libs/core/lsn.h"
#include "services/outbox-relay/domain/flat_json.h"
#include "services/outbox-relay/domain/pgoutput.h"

namespace countersign::relay {

// The names of an outbox table's columns. event_id, topic, key and payload are always needed; the
// others give headers, and may be absent if they are not listed in `required`.
struct ColumnNames {
  std::string event_id = "event_id";
  std::string topic = "topic";
  std::string key = "key";
  std::string payload = "payload";
  std::string id = "id";
  std::string type = "type";
  std::string seq = "seq";
  std::string headers = "headers";
  std::string occurred_at = "occurred_at";
  // Of type xid8, the transaction that wrote the row; by it a stream is rebuilt from the table.
  std::string xid = "xid";
  std::vector<std::string> required = {"id", "type", "seq", "headers", "occurred_at"};
};

// Where the columns are in the rows of one table; -1: there is none.
struct Table {
  std::string name;  // schema.table, for messages
  std::string schema;
  std::string table;
  std::string source;  // ce_source of its events
  std::size_t columns = 0;
  int event_id = -1;
  int topic = -1;
  int key = -1;
  int payload = -1;
  int id = -1;
  int type = -1;
  int seq = -1;
  int headers = -1;
  int occurred_at = -1;
};

// Why something of the database cannot be relayed, for an operator.
template <typename T>
using Readable = tl::expected<T, std::string>;

// `source_prefix` and the schema make ce_source: /countersign/auth.
[[nodiscard]] Readable<Table> MapTable(const Relation& relation, const ColumnNames& names,
                                       std::string_view source_prefix);

// One event. Views into the row it was read from.
struct OutboxRow {
  std::string_view event_id;
  std::string_view topic;
  std::string_view key;
  std::string_view payload;
  std::string_view id;
  std::string_view type;
  std::string_view seq;
  std::string_view headers;
  std::string_view occurred_at;
};
[[nodiscard]] Readable<OutboxRow> ReadRow(const Table& table, const std::vector<Field>& fields);

using Header = std::pair<std::string_view, std::string_view>;

// Makes the headers of one event after the other, in the same memory.
class HeaderBuilder {
 public:
  // The views are valid until the next Build and as long as the row is. `commit_lsn` is empty for
  // a row that was read from its table, which does not tell.
  [[nodiscard]] Readable<const std::vector<Header>*> Build(const OutboxRow& row,
                                                           std::string_view source,
                                                           std::string_view commit_lsn);

 private:
  FlatJson json_;
  std::string time_;
  std::vector<Header> headers_;
};

// "2026-01-02 03:04:05.6+00" -> "2026-01-02T03:04:05.600000Z"; empty for anything that is not a
// timestamptz in UTC and ISO style.
[[nodiscard]] std::string ToRfc3339(std::string_view timestamptz);

}  // namespace countersign::relay
