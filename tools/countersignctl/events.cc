#include <fmt/ostream.h>

#include <nlohmann/json.hpp>
#include <set>

#include "libs/core/clock.h"
#include "libs/kafka/admin.h"
#include "libs/kafka/consumer.h"
#include "tools/countersignctl/cluster.h"
#include "tools/countersignctl/command.h"

namespace countersign::ctl {
namespace {

constexpr auto kLimit = std::chrono::seconds(15);

nlohmann::json ToJson(const kafka::Message& message) {
  auto headers = nlohmann::json::object();
  for (const auto& [name, value] : message.Headers()) headers[std::string(name)] = value;
  // A value that is no JSON is shown as the text it is.
  auto value = nlohmann::json::parse(message.value(), nullptr, false);
  if (value.is_discarded()) value = message.value();
  return {{"topic", message.topic()},
          {"partition", message.partition()},
          {"offset", message.offset()},
          {"timestamp", ToRfc3339(message.time())},
          {"key", message.key().value_or("")},
          {"headers", headers},
          {"value", value}};
}

// Foreign bytes must not break the line or the terminal: dump escapes them.
constexpr auto kReplace = nlohmann::json::error_handler_t::replace;

// The text of a header without quotes, "?" if there is none.
std::string Shown(const nlohmann::json& headers, const char* name) {
  const std::string text = nlohmann::json(headers.value(name, "?")).dump(-1, ' ', true, kReplace);
  return text.substr(1, text.size() - 2);
}

void Print(const kafka::Message& message, bool json, std::ostream& out) {
  const auto record = ToJson(message);
  if (json) {
    out << record.dump(-1, ' ', true, kReplace) << std::endl;
    return;
  }
  const auto& headers = record["headers"];
  fmt::print(out, "{}  {}  {}/{}@{}  key {}  seq {}  {}\n", record["timestamp"].get<std::string>(),
             Shown(headers, "ce_type"), message.topic(), message.partition(), message.offset(),
             record["key"].dump(-1, ' ', true, kReplace), Shown(headers, "ce_sequence"),
             record["value"].dump(-1, ' ', true, kReplace));
  out.flush();
}

int Tail(const Arguments& arguments, const Streams& streams) {
  const auto topic = arguments.Required("topic");
  const auto key = arguments.Text("key");
  const long most = arguments.Number("max", 0, 1'000'000'000);
  const bool to_end = arguments.Flag("to-end");
  const auto settings = ClusterSettings(arguments);
  const auto description = kafka::Admin(settings).Describe(topic, kLimit);
  if (!description) throw Failure(fmt::format("there is no topic {}", topic));

  kafka::ConsumerSettings consumer_settings;
  consumer_settings.client = settings;
  consumer_settings.partition_end = true;
  kafka::Consumer consumer(consumer_settings);
  std::vector<kafka::StartAt> starts;
  starts.reserve(static_cast<std::size_t>(description->partitions));
  for (int partition = 0; partition < description->partitions; ++partition) {
    starts.push_back(
        {{topic, partition}, arguments.Flag("from-beginning") ? kafka::kFirst : kafka::kLast});
  }
  consumer.Assign(starts);
  std::set<int> ended;
  for (long shown = 0; most == 0 || shown < most;) {
    const auto message = consumer.Poll(std::chrono::seconds(1));
    if (!message) continue;
    if (message->at_end()) {
      ended.insert(message->partition());
      if (to_end && ended.size() == starts.size()) break;
      continue;
    }
    if (!key.empty() && message->key() != key) continue;
    Print(*message, arguments.Flag("json"), streams.out);
    ++shown;
  }
  return kOk;
}

}  // namespace

std::vector<Command> EventsCommands() {
  return {
      {.words = "events tail",
       .positionals = "",
       .summary = "Print the events of a topic as they come",
       .details = "Goes on until Ctrl-C, --max or --to-end. Needs no consumer group and leaves "
                  "no trace in Kafka.",
       .options = ClusterOptions({{"topic", "NAME", "which topic", "auth.log"},
                                  {"key", "KEY", "only events of this key (user or subject id)"},
                                  {"from-beginning", "", "not only new ones"},
                                  {"to-end", "", "stop at what is the end now"},
                                  {"max", "N", "stop after so many; 0: never", "0"},
                                  {"json", "", "one JSON object a line, with headers"}}),
       .run = Tail}};
}

}  // namespace countersign::ctl
