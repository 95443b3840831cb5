#include <fmt/ostream.h>

#include <nlohmann/json.hpp>

#include "tools/countersignctl/command.h"
#include "tools/countersignctl/database.h"
#include "tools/countersignctl/relay_state.h"
#include "tools/countersignctl/sql/queries.h"

namespace countersign::ctl {
namespace {

constexpr Option kWhy{"why", "TEXT", "the reason, for the audit log"};

int ListParked(const Arguments& arguments, const Streams& streams) {
  auto connection = ConnectDatabase(arguments);
  const auto rows = connection.Execute(sql::kListParked, arguments.Text("slot"));
  auto json = nlohmann::json::array();
  for (const auto row : rows) {
    const auto wanted = row.Get<std::string>("wanted");
    if (arguments.Flag("json")) {
      json.push_back({{"topic", row.Get<std::string>("topic")},
                      {"key", row.Get<std::string>("key")},
                      {"event_id", row.Get<std::string>("event_id")},
                      {"outbox_id", row.Get<std::int64_t>("first_id")},
                      {"reason", row.Get<std::string>("reason")},
                      {"wanted", wanted},
                      {"seconds", row.Get<std::int64_t>("seconds")}});
      continue;
    }
    fmt::print(streams.out, "{}  topic {}  key {}  since {} s  {}{}\n",
               row.Get<std::string>("event_id"), row.Get<std::string>("topic"),
               row.Get<std::string>("key"), row.Get<std::int64_t>("seconds"),
               row.Get<std::string>("reason"), wanted.empty() ? "" : "  (" + wanted + " asked)");
  }
  if (arguments.Flag("json")) fmt::print(streams.out, "{}\n", json.dump(2));
  return rows.empty() ? kOk : kDiffers;
}

// One event, or all of a topic; the other is empty.
int AskFor(const std::string& what, const std::string& event, const std::string& topic,
           const Arguments& arguments, const Streams& streams) {
  auto connection = ConnectDatabase(arguments);
  const auto rows = connection.Execute(sql::kAskRelease, arguments.Text("slot"), event, topic, what,
                                       arguments.Required("why"));
  if (rows.empty()) {
    throw Failure(event.empty() ? "no key of that topic is parked"
                                : "no key is parked for that event (countersignctl relay parked)");
  }
  for (const auto row : rows) {
    fmt::print(streams.out, "{} asked: {}  topic {}  key {}\n", what,
               row.Get<std::string>("event_id"), row.Get<std::string>("topic"),
               row.Get<std::string>("key"));
  }
  return kOk;
}

int Unpark(const Arguments& arguments, const Streams& streams) {
  const auto topic = arguments.Text("topic");
  const auto event = arguments.positionals().empty() ? "" : arguments.positionals().front();
  if (event.empty() == topic.empty()) throw UsageFault("say either an EVENT_ID or --topic NAME");
  return AskFor("unpark", event, topic, arguments, streams);
}

int Skip(const Arguments& arguments, const Streams& streams) {
  return AskFor("skip", arguments.positionals().front(), "", arguments, streams);
}

}  // namespace

std::vector<Command> RelayParkedCommands() {
  return {
      {.words = "relay parked",
       .positionals = "",
       .summary = "List the keys whose next event Kafka refuses for good; exit 3 if there are any",
       .details = "",
       .options = {kDatabase, kRelaySlot, kJson},
       .run = ListParked},
      {.words = "relay unpark",
       .positionals = "[EVENT_ID]",
       .summary = "Relay a parked key after all: the refused event and those behind it",
       .details = "For when the cause is mended: the topic made, the right granted. The relay does "
                  "it within seconds;\nwhat is refused again is parked again.",
       .options = {kDatabase,
                   kRelaySlot,
                   {"topic", "NAME", "all parked keys of a topic, instead of one event"},
                   kWhy},
       .least_positionals = 0,
       .most_positionals = 1,
       .run = Unpark},
      {.words = "relay skip",
       .positionals = "EVENT_ID",
       .summary = "Give a refused event up and relay those behind it; it stays in the log",
       .details = "Kafka never gets this event. Who asked and why is kept in relay.parking_log.",
       .options = {kDatabase, kRelaySlot, kWhy},
       .least_positionals = 1,
       .most_positionals = 1,
       .run = Skip}};
}

}  // namespace countersign::ctl
