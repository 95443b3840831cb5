#include "services/outbox-relay/config.h"

#include "libs/endpoint/local_listener.h"
#include "libs/pg/table_reader.h"

namespace countersign::relay {
namespace {

void BindSource(Config& config, config::Keys& keys) {
  auto& relay = config.relay;
  keys.Hidden(
      "database.url", relay.database.conninfo,
      {.help = "libpq conninfo of the database and the replication role.", .required = true});
  keys.Hidden("database.password", relay.database.password,
              {.help = "Password of the replication role, if database.url has none."});
  keys.Check([&relay] { return pg::RequireTlsOffLoopback(relay.database.conninfo.Reveal()); });
  keys.Text(
      "source", config.source,
      {.help = "wal: a replication slot, in commit order, at once. table: the tables are read "
               "again and again, for databases without replication rights.",
       .only = {"wal", "table"}});
  keys.Text(
      "slot", relay.slot,
      {.help = "Replication slot; made if it does not exist. Of several relays one has it, the "
               "others stand by. With source: table no slot, but the name of the lock for that.",
       .required = true});
  keys.Duration("takeover_after", relay.takeover_after,
                {.help = "A relay without a sign of life for so long is cut off, so that one that "
                         "stands by takes over.",
                 .min = "1s",
                 .max = "60s"});
  keys.List("publications", relay.publications,
            {.help = "Publications of the outbox tables; must exist before the slot is made.",
             .required = true});
  keys.List("tables", relay.tables,
            {.help = "With source: table, the outbox tables, each as schema.table."});
  keys.Duration("poll_max", relay.poll_max,
                {.help = "With source: table, how long a commit may wait to be noticed when there "
                         "was none for a while.",
                 .min = "1ms",
                 .max = "10s"});
  keys.List("wait_for_standbys", relay.wait_for_standbys,
            {.help = "Physical replication slots of the standbys that may be promoted: a commit is "
                     "relayed when all of them have it on disk. Empty: at once, and a promoted "
                     "standby may lack what Kafka has."});
  keys.Text("source_prefix", relay.source_prefix,
            {.help = "ce_source of an event is this and the schema of its table."});
  auto& columns = relay.columns;
  keys.Text("columns.event_id", columns.event_id, {.help = "Column of ce_id.", .required = true});
  keys.Text("columns.topic", columns.topic, {.help = "Column of the topic.", .required = true});
  keys.Text("columns.key", columns.key,
            {.help = "Column of the record key and ce_subject.", .required = true});
  keys.Text("columns.payload", columns.payload,
            {.help = "Column of the value, sent byte for byte.", .required = true});
  keys.Text("columns.id", columns.id, {.help = "Column of header outbox_id."});
  keys.Text("columns.type", columns.type, {.help = "Column of ce_type."});
  keys.Text("columns.seq", columns.seq, {.help = "Column of ce_sequence."});
  keys.Text("columns.headers", columns.headers,
            {.help = "Column with a flat JSON object of further headers."});
  keys.Text("columns.occurred_at", columns.occurred_at, {.help = "Column of ce_time."});
  keys.Text(
      "columns.xid", columns.xid,
      {.help = "Column of type xid8 with the writing transaction, by which a stream whose slot "
               "is lost is rebuilt from the table."});
  keys.List("columns.required", columns.required,
            {.help = "Which of id, type, seq, headers, occurred_at a table must have."});
}

void BindAdmin(Config& config, config::Keys& keys) {
  keys.Text("admin.socket", config.admin_socket,
            {.help = "Unix domain socket for countersignctl relay pause, resume, drain and "
                     "step-down; only this process's user can connect. Empty: none."});
  keys.Check([&config]() -> std::string {
    const auto& path = config.admin_socket;
    if (!path.empty() && !path.starts_with('/')) return "admin.socket: an absolute path is needed";
    if (path.size() <= endpoint::kLongestSocketPath) return {};
    return "admin.socket: the path is longer than " + std::to_string(endpoint::kLongestSocketPath) +
           " bytes";
  });
}

void BindCanary(Config& config, config::Keys& keys) {
  keys.Duration("canary.interval", config.canary_interval,
                {.help = "How often the relay that leads writes a row into relay.canary and waits "
                         "for it in Kafka. 0ms: never.",
                 .min = "0ms",
                 .max = "1h"});
  keys.Text("canary.topic", config.canary_topic,
            {.help = "Topic of those rows.", .required = true});
}

// relay.canary has the columns of Countersign's own event logs.
std::string FaultOfCanary(const Config& config) {
  if (config.canary_interval.count() == 0) return {};
  const ColumnNames own;
  const auto& columns = config.relay.columns;
  if (columns.event_id != own.event_id || columns.topic != own.topic || columns.key != own.key ||
      columns.payload != own.payload) {
    return "canary.interval: the canary needs columns of the default names";
  }
  return {};
}

void BindSink(Config& config, config::Keys& keys) {
  config.kafka.client.client_id = "countersign-relay";
  kafka::Bind(config.kafka, keys);
  keys.Bytes("kafka.queue", config.queue,
             {.help = "What may be queued and unacknowledged; beyond, reading the WAL pauses.",
              .min = "1MiB",
              .max = "1GiB"});
  keys.Duration("kafka.linger", config.linger,
                {.help = "Wait for more records before a request; 0 is best for latency.",
                 .min = "0ms",
                 .max = "1s"});
  keys.Text("delivery", config.delivery,
            {.help = "at_least_once: events in flight at a crash come twice. deduplicated: a "
                     "restarted relay leaves out what Kafka has. transactional: readers that "
                     "read committed records only see every event once, some tens of "
                     "milliseconds later.",
             .only = {"at_least_once", "deduplicated", "transactional"}});
  keys.Duration("transaction_timeout", config.relay.kafka.transaction_timeout,
                {.help = "With delivery: transactional, the longest that a transaction may stay "
                         "open: a dead relay keeps readers waiting so long, and the biggest "
                         "transaction of PostgreSQL must get into it. At most the brokers' "
                         "transaction.max.timeout.ms.",
                 .min = "10s",
                 .max = "1h"});
  keys.Text("first_start", config.first_start,
            {.help = "Without slot and checkpoint: everything relays what the tables hold already, "
                     "now only what is committed from then on. at_least_once always begins now.",
             .only = {"everything", "now"}});
  keys.Text("on_refusal", config.on_refusal,
            {.help = "An event that Kafka refuses for good: park it and later ones of its key in "
                     "PostgreSQL, or hold everything behind it.",
             .only = {"park", "hold"}});
  keys.Duration(
      "park_after", config.relay.park_after,
      {.help = "So long everything waits for a topic that does not exist, before keys are "
               "parked.",
       .min = "0ms",
       .max = "1h"});
  keys.Text("checkpoint_topic", config.relay.checkpoint_topic,
            {.help = "Compacted topic of one partition that remembers where relays stand.",
             .required = true});
  keys.Text("kafka.compression", config.relay.kafka.compression,
            {.help = "Compression of batches.", .only = {"none", "lz4", "zstd", "gzip", "snappy"}});
}

// The table source cannot do without what the WAL source can.
std::string FaultOfTableSource(const Config& config) {
  if (config.source != "table") return {};
  if (config.delivery == "at_least_once") {
    return "source: table needs delivery: deduplicated, since where it stands is kept in "
           "checkpoint_topic";
  }
  if (config.delivery == "transactional") {
    return "source: table needs delivery: deduplicated: its batches are no transactions";
  }
  if (!config.relay.wait_for_standbys.empty()) {
    return "wait_for_standbys needs source: wal";
  }
  if (config.relay.tables.empty()) return "source: table needs the names of the tables in tables";
  for (const auto& table : config.relay.tables) {
    if (!pg::ParseTableName(table)) return "tables: each is named schema.table";
  }
  if (config.relay.columns.id.empty() || config.relay.columns.xid.empty()) {
    return "source: table needs columns.id and columns.xid";
  }
  return {};
}

std::string FaultOfTransactions(const Config& config) {
  if (config.delivery != "transactional") return {};
  if (config.on_refusal == "park" &&
      config.relay.park_after > config.relay.kafka.transaction_timeout / 2) {
    return "park_after must be at most half of transaction_timeout: events that came before the "
           "refused one wait in a transaction";
  }
  return {};
}

Promise PromiseOf(const std::string& delivery) {
  if (delivery == "transactional") return Promise::kTransactional;
  return delivery == "deduplicated" ? Promise::kDeduplicated : Promise::kAtLeastOnce;
}

}  // namespace

void Bind(Config& config, config::Keys& keys) {
  process::Bind(config.process, keys);
  BindSource(config, keys);
  BindSink(config, keys);
  BindAdmin(config, keys);
  BindCanary(config, keys);
  keys.Check([&config] { return FaultOfTableSource(config); });
  keys.Check([&config] { return FaultOfCanary(config); });
  keys.Check([&config] { return FaultOfTransactions(config); });
}

RelaySettings ToSettings(const Config& config) {
  RelaySettings settings = config.relay;
  settings.kafka.client = kafka::ToSettings(config.kafka);
  settings.kafka.queue_kbytes = static_cast<int>(config.queue.bytes / 1024);
  settings.kafka.linger = config.linger;
  settings.source = config.source == "table" ? Source::kTable : Source::kWal;
  settings.promise = PromiseOf(config.delivery);
  settings.on_refusal = config.on_refusal == "park" ? OnRefusal::kPark : OnRefusal::kHold;
  settings.first_start =
      config.first_start == "everything" ? FirstStart::kEverything : FirstStart::kNow;
  return settings;
}

}  // namespace countersign::relay
