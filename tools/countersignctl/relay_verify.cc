#include <fmt/ostream.h>

#include <nlohmann/json.hpp>

#include "tools/countersignctl/cluster.h"
#include "tools/countersignctl/command.h"
#include "tools/countersignctl/database.h"
#include "tools/countersignctl/interrupt.h"
#include "tools/countersignctl/time_argument.h"
#include "tools/countersignctl/verification.h"
#include "tools/countersignctl/words.h"

namespace countersign::ctl {
namespace {

// What is written now may be neither visible nor relayed.
constexpr std::chrono::seconds kUnderWay{10};

VerificationSettings ReadSettings(const Arguments& arguments) {
  const Instant now = SystemClock().Now();
  VerificationSettings settings{
      .cluster = ClusterSettings(arguments),
      .view = ReadRelayView(arguments),
      .tables = SplitAtCommas(arguments.Required("tables")),
      .topics = SplitAtCommas(arguments.Text("topics")),
      .since = TimeOption(arguments, "since", now),
      .until = TimeOption(arguments, "until", now).value_or(now - kUnderWay),
      .wait = std::chrono::seconds(arguments.Number("wait", 0, 3'600)),
      .most_rows = arguments.Number("max-rows", 1, 1'000'000'000)};
  if (settings.tables.empty()) throw UsageFault("--tables names none");
  if (const auto slot = arguments.Text("slot"); !slot.empty()) settings.view.slot = slot;
  if (settings.since && *settings.since >= settings.until) {
    throw UsageFault("--since must be before --until, which is 10 s ago if it is not given");
  }
  return settings;
}

nlohmann::json ToJson(const Verdict& verdict, const std::vector<std::string>& notes,
                      const std::string& until) {
  nlohmann::json json = {{"until", until},
                         {"rows", verdict.rows()},
                         {"records", verdict.records()},
                         {"duplicates", verdict.duplicates()},
                         {"replayed", verdict.replayed()},
                         {"clean", verdict.Clean()},
                         {"notes", notes}};
  for (const Finding finding : kFindings) {
    const Found& found = verdict.Of(finding);
    json["findings"][std::string(NameOf(finding))] = {{"count", found.count},
                                                      {"examples", found.examples}};
  }
  return json;
}

// Keys and ids are foreign bytes, which must not reach a terminal as they are.
std::string Shown(const std::string& text) {
  const auto quoted =
      nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

void PrintText(const Verdict& verdict, const std::vector<std::string>& notes,
               const std::string& until, std::ostream& out) {
  fmt::print(out, "{} rows until {}, {} records: {} same-id duplicates, {} replayed\n",
             verdict.rows(), until, verdict.records(), verdict.duplicates(), verdict.replayed());
  for (const Finding finding : kFindings) {
    const Found& found = verdict.Of(finding);
    if (found.count == 0) continue;
    fmt::print(out, "{} {}\n", found.count, NameOf(finding));
    for (const auto& example : found.examples) fmt::print(out, "  {}\n", Shown(example));
    if (const auto more = found.count - static_cast<std::int64_t>(found.examples.size());
        more > 0) {
      fmt::print(out, "  and {} more\n", more);
    }
  }
  for (const auto& note : notes) fmt::print(out, "note: {}\n", Shown(note));
  if (verdict.Clean()) fmt::print(out, "nothing lost, invented, altered or out of order\n");
}

int RunVerify(const Arguments& arguments, const Streams& streams) {
  auto settings = ReadSettings(arguments);
  const std::string until = ToRfc3339(settings.until);
  auto connection = ConnectDatabase(arguments);
  const Interrupt interrupt;
  Verification verification(std::move(settings), connection, streams.err);
  try {
    verification.Run();
  } catch (const Interrupted&) {
    fmt::print(streams.err, "interrupted: nothing was judged\n");
    return kInterrupted;
  }
  const Verdict& verdict = verification.verdict();
  if (arguments.Flag("json")) {
    fmt::print(streams.out, "{}\n",
               ToJson(verdict, verification.notes(), until)
                   .dump(2, ' ', true, nlohmann::json::error_handler_t::replace));
  } else {
    PrintText(verdict, verification.notes(), until, streams.out);
  }
  return verdict.Clean() ? kOk : kDiffers;
}

}  // namespace

std::vector<Command> RelayVerifyCommands() {
  return {
      {.words = "relay verify",
       .positionals = "",
       .summary = "Compare the logs with the topics; exit 3 if they differ",
       .details =
           "Finds rows without a record (lost), records without a row (invented), altered ones "
           "(log, topic, key,\ntype, sequence or value), events behind a later one of their key, "
           "and keys on two partitions; counts\nsame-id duplicates, which are no fault. Records "
           "with header replay need a row and count apart.\nReads the rows of the range, waits "
           "until the relay's slot has confirmed them, then reads the topics\nfrom five minutes "
           "before the range to their end. A range begins at the log's oldest row at the earliest."
           "\nRows without a record are `waiting` and not `lost` while the slot has not confirmed "
           "them, or their\nkey is parked.\nMemory: 40 bytes for a row of the range and 64 for a "
           "key, and some 30 MB.",
       .options = ClusterOptions(
           {kDatabase,
            {"tables", "SCHEMA.TABLE,…", "the logs", "auth.event_log,otp.event_log"},
            {"topics", "NAME,…", "only these topics (default: all that rows of the range name)"},
            {"since", "TIME", "from: 2026-01-02T03:04:05Z, or 2h (ago); default: the oldest row"},
            {"until", "TIME", "to; default: 10s (ago)"},
            {"slot", "NAME", "the relay's replication slot (default: countersign)"},
            {"wait", "SECONDS", "how long the relay may take to confirm what was read", "30"},
            {"max-rows", "N", "give up beyond", "20000000"},
            kRelayConfig,
            kJson}),
       .run = RunVerify}};
}

}  // namespace countersign::ctl
