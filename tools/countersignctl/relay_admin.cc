// The verbs that a running relay obeys, over its admin socket.
#include <fmt/ostream.h>

#include <chrono>
#include <functional>
#include <thread>

#include "tools/countersignctl/command.h"
#include "tools/countersignctl/interrupt.h"
#include "tools/countersignctl/relay_process.h"
#include "tools/countersignctl/relay_state.h"
#include "tools/countersignctl/ticker.h"

namespace countersign::ctl {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPoll{50};
// A relay finishes the transaction it is in before it rests or hands over.
constexpr std::chrono::seconds kObeyLimit{10};

std::string Word(const nlohmann::json& status, const char* name) {
  const auto found = status.find(name);
  return found == status.end() || !found->is_string() ? std::string("?")
                                                      : Harmless(found->get<std::string>());
}

std::int64_t Count(const nlohmann::json& status, const char* name) {
  const auto found = status.find(name);
  return found == status.end() || !found->is_number() ? 0 : found->get<std::int64_t>();
}

bool Reading(const nlohmann::json& status) {
  const auto found = status.find("reading");
  return found != status.end() && found->is_boolean() && found->get<bool>();
}

// What the relay says once `obeyed` is true of it, or after the limit.
nlohmann::json Await(const RelayProcess& relay, nlohmann::json status,
                     const std::function<bool(const nlohmann::json&)>& obeyed) {
  const auto end = SteadyClock::now() + kObeyLimit;
  const auto found = status.value("found", nlohmann::json());
  while (!obeyed(status) && SteadyClock::now() < end) {
    std::this_thread::sleep_for(kPoll);
    status = relay.Status();
  }
  status["found"] = found;
  return status;
}

void Print(const nlohmann::json& status, const std::string& text, const Arguments& arguments,
           const Streams& streams) {
  if (arguments.Flag("json")) {
    fmt::print(streams.out, "{}\n",
               status.dump(2, ' ', true, nlohmann::json::error_handler_t::replace));
  } else {
    fmt::print(streams.out, "{}\n", text);
  }
}

// What is good to know of a relay that does not lead.
std::string Beside(const nlohmann::json& status) {
  const auto role = Word(status, "role");
  if (role == "leads") return "";
  return fmt::format("; it does not lead ({}), and the one that does goes on", role);
}

int Pause(const Arguments& arguments, const Streams& streams) {
  const RelayProcess relay(arguments.Required("socket"));
  const auto status =
      Await(relay, relay.Tell("pause"), [](const nlohmann::json& said) { return !Reading(said); });
  if (Reading(status)) {
    throw Failure("it will pause, but is still in a long transaction: relay status tells");
  }
  const auto found = Word(status, "found");
  const bool already = found == "paused" || found == "drained";
  Print(status,
        already ? fmt::format("it was {} already{}", found, Beside(status))
                : fmt::format("paused; it was {}{}", found, Beside(status)),
        arguments, streams);
  return kOk;
}

int Resume(const Arguments& arguments, const Streams& streams) {
  const RelayProcess relay(arguments.Required("socket"));
  const auto status = relay.Tell("resume");
  const auto found = Word(status, "found");
  Print(status,
        found == "running" ? "it was running already" : fmt::format("resumed; it was {}", found),
        arguments, streams);
  return kOk;
}

int StepDown(const Arguments& arguments, const Streams& streams) {
  const RelayProcess relay(arguments.Required("socket"));
  const auto status = Await(relay, relay.Tell("step-down"), [](const nlohmann::json& said) {
    return Word(said, "role") != "leads";
  });
  if (Word(status, "role") == "leads") {
    throw Failure("it has not handed over yet: kafka does not acknowledge what is on its way");
  }
  Print(status,
        "stepped down; it leaves the lock to others for some seconds, and leads again if none "
        "takes it",
        arguments, streams);
  return kOk;
}

std::string Progress(const nlohmann::json& status) {
  const auto trouble = Word(status, "trouble");
  return fmt::format("{} events on their way, confirmed {} of {}{}", Count(status, "in_flight"),
                     Word(status, "confirmed_lsn"), Word(status, "seen_lsn"),
                     trouble.empty() ? "" : "; " + trouble);
}

// Asks until it is drained; why it is not, or empty.
std::string AwaitDrained(const RelayProcess& relay, nlohmann::json& status,
                         std::chrono::seconds limit, const Streams& streams) {
  Ticker ticker;
  const auto end = SteadyClock::now() + limit;
  while (true) {
    const auto state = Word(status, "state");
    if (state == "drained") return "";
    if (state != "draining") return "somebody else ended the drain: it is " + state;
    if (Word(status, "role") == "stands by") return "another relay leads by now";
    if (Interrupt::Asked()) return "interrupted";
    if (SteadyClock::now() >= end) {
      return fmt::format("not drained after {} s: {}", limit.count(), Progress(status));
    }
    if (ticker.Due()) fmt::print(streams.err, "draining: {}\n", Progress(status));
    std::this_thread::sleep_for(kPoll);
    status = relay.Status();
  }
}

int Drain(const Arguments& arguments, const Streams& streams) {
  const std::chrono::seconds limit(arguments.Number("timeout", 1, 86'400));
  const RelayProcess relay(arguments.Required("socket"));
  const Interrupt interrupt;
  auto status = relay.Tell("drain");
  const auto found = status.value("found", nlohmann::json());
  const auto why = AwaitDrained(relay, status, limit, streams);
  if (!why.empty()) {
    const auto after = relay.Tell("drain/cancel");
    const auto told = fmt::format("{}; the relay is {} as before", why, Word(after, "state"));
    if (!Interrupt::Asked()) throw Failure(told);
    fmt::print(streams.err, "countersignctl: {}\n", told);
    return kInterrupted;
  }
  status["found"] = found;
  const auto parked = Count(status, "parked_keys");
  Print(status,
        fmt::format("drained: kafka has everything that was committed when it was asked; it reads "
                    "nothing until relay resume{}",
                    parked == 0 ? "" : fmt::format(", and {} keys are parked", parked)),
        arguments, streams);
  return kOk;
}

// The exit code of a relay that is away is that of any server.
template <int (*run)(const Arguments&, const Streams&)>
int OrAway(const Arguments& arguments, const Streams& streams) {
  try {
    return run(arguments, streams);
  } catch (const RelayAway& fault) {
    fmt::print(streams.err, "countersignctl: {}\n", fault.what());
    return kUnavailable;
  }
}

}  // namespace

std::vector<Command> RelayAdminCommands() {
  return {
      {.words = "relay pause",
       .positionals = "",
       .summary = "Have a relay read no further; it keeps its lead, and the WAL grows",
       .details = "What was read is brought to Kafka and confirmed. A relay that is started anew "
                  "is not paused.",
       .options = {kRelaySocket, kJson},
       .run = OrAway<Pause>},
      {.words = "relay resume",
       .positionals = "",
       .summary = "Let a paused or drained relay go on",
       .details = "",
       .options = {kRelaySocket, kJson},
       .run = OrAway<Resume>},
      {.words = "relay drain",
       .positionals = "",
       .summary = "Wait until Kafka has everything that is committed now, then pause the relay",
       .details = "Done when a checkpoint says so, too. After the time limit or Ctrl-C the relay "
                  "is as it was before. Only the\nrelay that leads can be drained.",
       .options = {kRelaySocket, {"timeout", "SECONDS", "give up after so long", "60"}, kJson},
       .run = OrAway<Drain>},
      {.words = "relay step-down",
       .positionals = "",
       .summary = "Have the leading relay hand over to one that stands by",
       .details = "It finishes the transaction it is in, writes a last checkpoint and gives the "
                  "lock up for some seconds.",
       .options = {kRelaySocket, kJson},
       .run = OrAway<StepDown>}};
}

}  // namespace countersign::ctl
