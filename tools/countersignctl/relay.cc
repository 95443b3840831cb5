#include <fmt/ostream.h>

#include <cstdlib>
#include <istream>
#include <nlohmann/json.hpp>
#include <optional>

#include "libs/kafka/producer.h"
#include "libs/pg/replication.h"
#include "tools/countersignctl/cluster.h"
#include "tools/countersignctl/command.h"
#include "tools/countersignctl/database.h"
#include "tools/countersignctl/metrics_page.h"
#include "tools/countersignctl/relay_process.h"
#include "tools/countersignctl/relay_state.h"
#include "tools/countersignctl/slot_status.h"
#include "tools/countersignctl/sql/queries.h"

namespace countersign::ctl {
namespace {

constexpr auto kProduceLimit = std::chrono::seconds(15);

struct RelayStatus {
  std::string slot_name;
  std::optional<relay::Checkpoint> checkpoint;
  ServerState server;
  SlotStatus slot;
  std::optional<double> lag_seconds;  // empty: nobody was asked, or nobody answered
  // How far the checkpoint is behind (below 0) or ahead of what the slot confirmed, in bytes of
  // WAL. Empty unless there are both.
  std::optional<std::int64_t> ahead_of_slot;
  // What the process at --socket says; null: nobody was asked.
  nlohmann::json process = nullptr;
  std::string process_away{};  // why it said nothing
};

std::string Said(const nlohmann::json& process, const char* name) {
  const auto found = process.find(name);
  return found == process.end() || !found->is_string() ? "?" : Harmless(found->get<std::string>());
}

std::vector<std::string> Troubles(const RelayStatus& status) {
  std::vector<std::string> troubles;
  const bool leads = status.server.leader_pid.has_value();
  if (!leads) troubles.emplace_back("no relay leads: nobody has the lock of the slot");
  if (!status.slot.exists) {
    troubles.emplace_back("there is no slot: the relay makes it when it starts");
  } else if (const auto wal = status.slot.WalTrouble(); !wal.empty()) {
    troubles.push_back(wal);
  } else if (leads && !status.slot.active) {
    troubles.emplace_back("a relay leads and does not stream: its health says why");
  }
  if (!status.process_away.empty()) troubles.push_back(status.process_away);
  if (status.process.is_object() && Said(status.process, "state") != "running") {
    troubles.push_back("the relay at --socket is " + Said(status.process, "state") +
                       ": countersignctl relay resume");
  }
  if (status.checkpoint) {
    if (status.checkpoint->rebuilding) {
      troubles.emplace_back(
          "the stream is being rebuilt: until it is, the slot does not have every event");
    }
    const auto foreign = WhyForeign(*status.checkpoint, status.server);
    if (!foreign.empty()) troubles.push_back(foreign);
  }
  return troubles;
}

nlohmann::json ToJson(const relay::Checkpoint& checkpoint) {
  nlohmann::json json = {{"system_id", checkpoint.system_id},
                         {"timeline", checkpoint.timeline},
                         {"position", ToString(checkpoint.position)},
                         {"rebuilding", checkpoint.rebuilding},
                         {"offsets", checkpoint.offsets},
                         {"settled", nullptr}};
  if (checkpoint.settled) {
    json["settled"] = {{"snapshot", checkpoint.settled->snapshot},
                       {"offsets", checkpoint.settled->offsets}};
  }
  return json;
}

nlohmann::json ToJson(const RelayStatus& status) {
  nlohmann::json json = {{"slot", status.slot_name},
                         {"exists", status.slot.exists},
                         {"active", status.slot.active},
                         {"wal_status", status.slot.wal_status},
                         {"confirmed_lsn", status.slot.confirmed},
                         {"lag_bytes", status.slot.lag_bytes},
                         {"lag_seconds", nullptr},
                         {"retained_bytes", status.slot.retained_bytes},
                         {"leader_pid", nullptr},
                         {"system_id", status.server.system_id},
                         {"timeline", status.server.timeline},
                         {"flushed_lsn", ToString(status.server.flushed)},
                         {"checkpoint", nullptr},
                         {"checkpoint_ahead_bytes", nullptr},
                         {"process", status.process},
                         {"trouble", fmt::format("{}", fmt::join(Troubles(status), "; "))}};
  if (status.lag_seconds) json["lag_seconds"] = *status.lag_seconds;
  if (status.server.leader_pid) json["leader_pid"] = *status.server.leader_pid;
  if (status.checkpoint) json["checkpoint"] = ToJson(*status.checkpoint);
  if (status.ahead_of_slot) json["checkpoint_ahead_bytes"] = *status.ahead_of_slot;
  return json;
}

// What the checkpoint says beside what the server says.
template <typename Value>
std::string Compared(const Value& ours, const Value& checkpoints) {
  return ours == checkpoints ? " (the checkpoint's, too)"
                             : fmt::format(" (the checkpoint has {})", checkpoints);
}

std::string Between(std::optional<std::int64_t> ahead) {
  if (!ahead) return "";
  if (*ahead == 0) return ", where the slot is confirmed";
  return fmt::format(", {} bytes of WAL {} the slot", std::abs(*ahead),
                     *ahead < 0 ? "behind" : "ahead of");
}

// Without the list of the transactions that were open in it.
std::string Limits(const std::string& snapshot) {
  return Harmless(snapshot.substr(0, snapshot.find(':', snapshot.find(':') + 1)));
}

void PrintCheckpoint(const relay::Checkpoint& checkpoint, std::optional<std::int64_t> ahead,
                     std::ostream& out) {
  fmt::print(out, "checkpoint {}{}\nsettled    {}\nrebuilding {}\n", ToString(checkpoint.position),
             Between(ahead), checkpoint.settled ? Limits(checkpoint.settled->snapshot) : "nothing",
             checkpoint.rebuilding ? "yes" : "no");
  for (const auto& [topic, next] : checkpoint.offsets) {
    std::string shown;
    for (const auto offset : next) {
      shown += offset == relay::kUnknownOffset ? " ?" : " " + std::to_string(offset);
    }
    fmt::print(out, "offsets    {}{}\n", Harmless(topic), shown);
  }
}

void Print(const RelayStatus& status, std::ostream& out) {
  const auto& [name, checkpoint, server, slot, lag_seconds, ahead_of_slot, process, away] = status;
  fmt::print(
      out, "slot       {}\nrelay      {}\nsystem     {}{}\ntimeline   {}{}\n", name,
      server.leader_pid ? fmt::format("leads (session {})", *server.leader_pid) : "none leads",
      server.system_id,
      checkpoint ? Compared(server.system_id, Harmless(checkpoint->system_id)) : "",
      server.timeline, checkpoint ? Compared(server.timeline, checkpoint->timeline) : "");
  if (slot.exists) {
    fmt::print(out, "confirmed  {}, {} bytes of WAL behind the database\nwal status {}\n",
               slot.confirmed, slot.lag_bytes, slot.wal_status);
  }
  if (lag_seconds) fmt::print(out, "lag        {:.3f} s\n", *lag_seconds);
  if (process.is_object()) {
    fmt::print(out, "process    {}, {}\n", Said(process, "role"), Said(process, "state"));
  }
  if (checkpoint) {
    PrintCheckpoint(*checkpoint, ahead_of_slot, out);
  } else {
    fmt::print(out, "checkpoint none\n");
  }
  for (const auto& trouble : Troubles(status)) fmt::print(out, "trouble    {}\n", trouble);
}

int PrintStatus(const Arguments& arguments, const Streams& streams) {
  RelayStatus status;
  status.slot_name = arguments.Required("slot");
  auto connection = ConnectDatabase(arguments);
  status.checkpoint = NewestCheckpoint(arguments);
  status.server = ReadServer(connection, status.slot_name);
  status.slot = ReadSlotStatus(connection, status.slot_name);
  if (const auto confirmed = ParseLsn(status.slot.confirmed); confirmed && status.checkpoint) {
    status.ahead_of_slot =
        static_cast<std::int64_t>(status.checkpoint->position.value - confirmed->value);
  }
  if (const auto address = arguments.Text("relay-metrics"); !address.empty()) {
    status.lag_seconds = ReadMetric(address, "relay_lag_seconds");
  }
  if (const auto socket = arguments.Text("socket"); !socket.empty()) {
    try {
      status.process = RelayProcess(socket).Status();
    } catch (const RelayAway& fault) {
      status.process_away = fault.what();
    }
  }
  if (arguments.Flag("json")) {
    fmt::print(streams.out, "{}\n",
               ToJson(status).dump(2, ' ', true, nlohmann::json::error_handler_t::replace));
  } else {
    Print(status, streams.out);
  }
  return Troubles(status).empty() ? kOk : kDiffers;
}

// What relay::DecideStart makes of a start without a checkpoint.
std::string NextStart(const std::string& name, const SlotStatus& slot) {
  const std::string drop = fmt::format("SELECT pg_drop_replication_slot('{}')", name);
  if (!slot.exists) {
    return "The next start of the relay is a first one. With first_start: everything it compares "
           "all of the\nlogs with all of Kafka and brings what Kafka lacks; with first_start: now "
           "it begins with what is\ncommitted from then on.\n";
  }
  if (slot.wal_status == "lost") {
    return "The slot is lost, so the next start is refused (slot_lost) until it is dropped:\n  " +
           drop + "\n";
  }
  return fmt::format(
      "The next start of the relay goes on where the slot is confirmed ({}) and leaves out what "
      "Kafka has.\nTo have all of the logs compared with all of Kafka, drop the slot before that "
      "start:\n  {}\n",
      slot.confirmed, drop);
}

void RefuseWhileOneLeads(const std::optional<int>& leader_pid) {
  if (!leader_pid) return;
  throw Failure(fmt::format(
      "a relay leads (session {}) and would go on as if nothing was forgotten; stop every relay "
      "of the slot first",
      *leader_pid));
}

bool Confirmed(const Arguments& arguments, const Streams& streams) {
  if (arguments.Flag("yes")) return true;
  fmt::print(streams.out, "Forget it? Type yes: ");
  streams.out.flush();
  std::string answer;
  return std::getline(*streams.terminal, answer) && answer == "yes";
}

// A record without a value: compaction removes what lies before it.
void WriteTombstone(const Arguments& arguments) {
  const auto topic = arguments.Required("checkpoint-topic");
  const auto slot = arguments.Required("slot");
  kafka::ProducerSettings settings;
  settings.client = ClusterSettings(arguments);
  kafka::Producer producer(settings);
  if (!producer.Reach(kProduceLimit)) throw kafka::Fault(0, "no kafka broker answers");
  kafka::Headers headers(0);
  if (producer.Produce({.topic = topic, .key = slot, .value = {}}, headers) !=
      kafka::Produced::kQueued) {
    throw Failure(fmt::format("kafka does not take records of topic {} now", topic));
  }
  std::string refusal = "no answer";
  (void)producer.Flush(kProduceLimit, [&](const kafka::Delivery& delivery) {
    refusal = delivery.ok() ? "" : delivery.Reason();
  });
  if (!refusal.empty()) {
    throw Failure(fmt::format("kafka has not confirmed the record in {}: {}", topic, refusal));
  }
}

int Forget(const Arguments& arguments, const Streams& streams) {
  const auto slot = arguments.Required("slot");
  if (!arguments.Flag("yes") && streams.terminal == nullptr) {
    throw UsageFault("there is no terminal to ask for confirmation; --yes goes without");
  }
  auto connection = ConnectDatabase(arguments);
  RefuseWhileOneLeads(ReadServer(connection, slot).leader_pid);
  if (!HasCheckpoint(arguments)) {
    fmt::print(streams.out, "there is no checkpoint of {}: nothing to forget\n", slot);
    return kOk;
  }
  fmt::print(streams.out, "The checkpoint of {} will be forgotten.\n{}", slot,
             NextStart(slot, ReadSlotStatus(connection, slot)));
  if (!Confirmed(arguments, streams)) throw Failure("left as it is");
  // From here to the end of the session no relay begins: it would have read the checkpoint already.
  const auto rows = connection.Execute(sql::kTrySlotLock, pg::kSlotLockClass, slot);
  if (!rows.Only().Get<bool>("taken")) {
    RefuseWhileOneLeads(ReadServer(connection, slot).leader_pid);
    throw Failure("a relay was starting; stop every relay of the slot first");
  }
  WriteTombstone(arguments);
  fmt::print(streams.out, "forgot the checkpoint of {}\n", slot);
  return kOk;
}

}  // namespace

std::vector<Command> RelayCommands() {
  return {
      {.words = "relay status",
       .positionals = "",
       .summary = "Show a relay's checkpoint, slot and leader; exit 3 if something is wrong",
       .details = "The settled snapshot (its xmin:xmax) says what Kafka has for sure: `log drop` "
                  "takes it, and a lost\nslot is rebuilt from it. With delivery: at_least_once "
                  "there is no checkpoint.",
       .options = RelayOptions(
           {{"relay-metrics", "HOST:PORT", "metrics of the relay", "", "RELAY_METRICS"},
            kRelaySocket,
            kJson}),
       .run = PrintStatus},
      {.words = "relay forget",
       .positionals = "",
       .summary = "Make a relay forget its checkpoint, so that it starts as for the first time",
       .details = "For a checkpoint that the relay refuses. Says what the next start will do and "
                  "asks. Refused while a\nrelay leads.",
       .options = RelayOptions({{"yes", "", "do not ask"}},
                               {"slot", "NAME", "replication slot of the relay"}),
       .run = Forget}};
}

}  // namespace countersign::ctl
