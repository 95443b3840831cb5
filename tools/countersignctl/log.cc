// Retention of the event logs: by age, and only what Kafka has for sure.
#include <fmt/ostream.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "libs/config/keys.h"
#include "tools/countersignctl/command.h"
#include "tools/countersignctl/database.h"
#include "tools/countersignctl/relay_state.h"
#include "tools/countersignctl/sql/queries.h"

namespace countersign::ctl {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLeastKept = std::chrono::hours(24);
constexpr milliseconds kMostKept = std::chrono::hours(24) * 36'500;
constexpr long kMostDaysAhead = 60;  // log_make makes no more
constexpr double kMebibyte = 1024.0 * 1024.0;
constexpr int kMostDrops = 36'500;  // days at once

constexpr Option kKeep{"keep", "AGE", "what is younger stays, for example 90d", "", "LOG_KEEP"};

constexpr Option kLogs{"schemas", "A,B", "whose logs", "auth,otp"};

struct Log {
  std::string_view schema;
  const pg::Query& list;
  const pg::Query& drop;
  const pg::Query& make;
};

constexpr Log kAllLogs[] = {
    {"auth", sql::kListAuthLog, sql::kDropAuthLog, sql::kMakeAuthLog},
    {"otp", sql::kListOtpLog, sql::kDropOtpLog, sql::kMakeOtpLog},
};

std::vector<Log> ChosenLogs(const Arguments& arguments) {
  std::vector<Log> chosen;
  std::string rest = arguments.Required(kLogs.name) + ",";
  for (auto comma = rest.find(','); comma != std::string::npos; comma = rest.find(',')) {
    const auto schema = rest.substr(0, comma);
    const auto* known = std::ranges::find(kAllLogs, schema, &Log::schema);
    if (known == std::end(kAllLogs)) {
      throw UsageFault(fmt::format("--schemas: no log \"{}\"; there are auth and otp", schema));
    }
    chosen.push_back(*known);
    rest.erase(0, comma + 1);
  }
  return chosen;
}

milliseconds Kept(const Arguments& arguments) {
  const auto kept = config::ParseDuration(arguments.Required(kKeep.name));
  if (!kept) throw UsageFault("--keep: " + kept.error().detail);
  if (*kept < kLeastKept || *kept > kMostKept) {
    throw UsageFault(fmt::format("--keep: from {} to {} is expected", config::ToText(kLeastKept),
                                 config::ToText(kMostKept)));
  }
  return *kept;
}

// The snapshot up to which Kafka has everything of this server. Throws Failure if nothing says so.
std::string SettledSnapshot(const std::string& slot,
                            const std::optional<relay::Checkpoint>& checkpoint,
                            const ServerState& server) {
  const auto refuse = [](const std::string& why) { throw Failure("nothing is dropped: " + why); };
  if (!checkpoint) {
    refuse(fmt::format("there is no checkpoint of {} that says what Kafka has", slot));
  }
  if (const auto foreign = WhyForeign(*checkpoint, server); !foreign.empty()) refuse(foreign);
  if (checkpoint->timeline != server.timeline) {
    refuse(fmt::format(
        "the checkpoint is of timeline {}, but the server is on {}; the relay writes another one "
        "with the next events",
        checkpoint->timeline, server.timeline));
  }
  if (checkpoint->rebuilding) {
    refuse("the stream is being rebuilt; until it is, Kafka may lack events");
  }
  if (!checkpoint->settled) {
    refuse("the checkpoint has no settled snapshot yet; the relay writes one with the next events");
  }
  return checkpoint->settled->snapshot;
}

// A parked event counts as settled, and yet only the log has it. To be asked after the checkpoint
// was read: what that one covers was parked before.
void RefuseParked(pg::Connection& connection, const Log& log) {
  const int keys = connection.Execute(sql::kCountParked, log.schema).Only().Get<int>("keys");
  if (keys == 0) return;
  throw Failure(
      fmt::format("nothing is dropped: {} keys of {} are parked, and only the log has their events "
                  "(countersignctl relay parked)",
                  keys, log.schema));
}

std::string Partitions(int count) {
  return fmt::format("{} {}", count, count == 1 ? "partition" : "partitions");
}

// Prints as it goes: what was dropped stays dropped if a later log fails.
void DropOne(pg::Connection& connection, const Log& log, milliseconds kept,
             const std::string& settled, nlohmann::json& json, std::ostream* out) {
  // One day for each transaction, so that nobody waits for more than one drop.
  int dropped = 0;
  while (dropped < kMostDrops &&
         connection.Execute(log.drop, kept.count(), settled).Only().Get<int>("dropped") > 0) {
    ++dropped;
  }
  json[std::string(log.schema)] = {{"dropped", dropped}};
  if (out != nullptr) fmt::print(*out, "{}: dropped {}\n", log.schema, Partitions(dropped));
}

void ListOne(pg::Connection& connection, const Log& log, milliseconds kept,
             const std::string& settled, nlohmann::json& json, std::ostream* out) {
  auto list = nlohmann::json::array();
  const auto rows = connection.Execute(log.list, kept.count(), settled);
  for (const auto row : rows) {
    const auto name = row.Get<std::string>("name");
    const auto bytes = row.Get<std::int64_t>("bytes");
    list.push_back({{"partition", name}, {"bytes", bytes}});
    if (out != nullptr) {
      fmt::print(*out, "{}: would drop {} ({:.1f} MiB)\n", log.schema, name,
                 static_cast<double>(bytes) / kMebibyte);
    }
  }
  if (out != nullptr && rows.empty()) fmt::print(*out, "{}: would drop nothing\n", log.schema);
  json[std::string(log.schema)] = {{"would_drop", std::move(list)}};
}

int Drop(const Arguments& arguments, const Streams& streams) {
  const auto logs = ChosenLogs(arguments);
  const auto kept = Kept(arguments);
  const auto slot = arguments.Required("slot");
  auto connection = ConnectDatabase(arguments);
  const auto checkpoint = NewestCheckpoint(arguments);
  const auto settled = SettledSnapshot(slot, checkpoint, ReadServer(connection, slot));
  for (const Log& log : logs) RefuseParked(connection, log);
  const bool as_json = arguments.Flag("json");
  std::ostream* out = as_json ? nullptr : &streams.out;
  auto json = nlohmann::json::object();
  for (const Log& log : logs) {
    (arguments.Flag("dry-run") ? ListOne : DropOne)(connection, log, kept, settled, json, out);
  }
  if (as_json) fmt::print(streams.out, "{}\n", json.dump(2));
  return kOk;
}

int Make(const Arguments& arguments, const Streams& streams) {
  const auto logs = ChosenLogs(arguments);
  const auto days = static_cast<int>(arguments.Number("days", 1, kMostDaysAhead));
  auto connection = ConnectDatabase(arguments);
  auto json = nlohmann::json::object();
  for (const Log& log : logs) {
    const int made = connection.Execute(log.make, days).Only().Get<int>("made");
    json[std::string(log.schema)] = {{"made", made}};
    if (!arguments.Flag("json")) {
      fmt::print(streams.out, "{}: made {}\n", log.schema, Partitions(made));
    }
  }
  if (arguments.Flag("json")) fmt::print(streams.out, "{}\n", json.dump(2));
  return kOk;
}

}  // namespace

std::vector<Command> LogCommands() {
  return {
      {.words = "log drop",
       .positionals = "",
       .summary = "Drop the old partitions of the event logs whose every event is in Kafka",
       .details = "As the owner. What Kafka has is told by the settled snapshot in the newest "
                  "checkpoint of the relay; a\npartition with a single event that is not in it "
                  "stays, and so does every day that is not over.\nRefused, with exit code 1, "
                  "without such a checkpoint, and while keys are parked. The relay of --slot must "
                  "have all of\n--schemas in "
                  "its publications.",
       .options =
           RelayOptions({kKeep, kLogs, {"dry-run", "", "only list what would be dropped"}, kJson}),
       .run = Drop},
      {.words = "log make",
       .positionals = "",
       .summary = "Make the daily partitions of the event logs ahead of time",
       .details = "auth and otp do it themselves, every hour; this is for a time when they are "
                  "down.",
       .options = {kDatabase, {"days", "N", "from today to so many days on", "14"}, kLogs, kJson},
       .run = Make},
  };
}

}  // namespace countersign::ctl
