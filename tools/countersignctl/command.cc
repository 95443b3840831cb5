#include "tools/countersignctl/command.h"

#include <fmt/ostream.h>

#include <algorithm>
#include <optional>

#include "libs/config/load.h"
#include "libs/core/version.h"
#include "libs/kafka/fault.h"
#include "libs/pg/errors.h"

namespace countersign::ctl {
std::vector<Command> AllCommands() {
  std::vector<Command> all;
  for (auto group :
       {MigrateCommands(), TopicsCommands(), KeysCommands(), CallCommands(), OutboxCommands(),
        EventsCommands(), LogCommands(), RelayCommands(), RelayAdminCommands(),
        RelayParkedCommands(), RelayReplayCommands(), RelayVerifyCommands()}) {
    std::ranges::move(group, std::back_inserter(all));
  }
  return all;
}

namespace {

void PrintOverview(const std::vector<Command>& commands, std::ostream& out) {
  fmt::print(out, "usage: countersignctl COMMAND [options]    (COMMAND --help tells more)\n\n");
  for (const Command& command : commands) {
    fmt::print(out, "  {:<16} {}\n", command.words, command.summary);
  }
  fmt::print(out,
             "\nExit codes: 0 done, 1 refused or failed, 3 a status or diff found something to do, "
             "64 wrong usage,\n69 the database, Kafka or a service is away, 130 Ctrl-C.\n");
}

void PrintHelp(const Command& command, std::ostream& out) {
  fmt::print(out, "usage: countersignctl {} {}{}[options]\n\n{}.\n", command.words,
             command.positionals, command.positionals.empty() ? "" : " ", command.summary);
  if (!command.details.empty()) fmt::print(out, "\n{}\n", command.details);
  fmt::print(out, "\noptions:\n");
  for (const Option& option : command.options) {
    const std::string shown = fmt::format("--{} {}", option.name, option.placeholder);
    fmt::print(out, "  {:<26} {}{}{}\n", shown, option.help,
               option.env.empty() ? "" : fmt::format(" [env {}]", option.env),
               option.fallback.empty() ? "" : fmt::format(" (default: {})", option.fallback));
  }
  fmt::print(out, "  {:<26} this text\n", "--help");
}

// How many of the words name `command`, 0 if it is another.
std::size_t Matches(const Command& command, std::span<const std::string> words) {
  std::string joined;
  for (std::size_t count = 1; count <= std::min<std::size_t>(2, words.size()); ++count) {
    joined += (count == 1 ? "" : " ") + words[count - 1];
    if (joined == command.words) return count;
  }
  return 0;
}

// `words` name several commands together: "migrate", or "migrate --help".
bool NamesAGroup(const std::vector<Command>& group, std::span<const std::string> words) {
  return !group.empty() &&
         (words.size() == 1 || (words.size() == 2 && (words[1] == "--help" || words[1] == "-h")));
}

// The commands whose first of two words is `word`.
std::vector<Command> GroupOf(const std::vector<Command>& commands, const std::string& word) {
  std::vector<Command> group;
  std::ranges::copy_if(commands, std::back_inserter(group), [&](const Command& command) {
    return command.words.starts_with(word + " ");
  });
  return group;
}

int RunCommand(const Command& command, std::span<const std::string> words,
               const Environment& environment, const Streams& streams) {
  const Arguments arguments(command.options, words, environment);
  if (arguments.help()) {
    PrintHelp(command, streams.out);
    return kOk;
  }
  const auto given = arguments.positionals().size();
  if (given < command.least_positionals || given > command.most_positionals) {
    throw UsageFault(
        fmt::format("{} takes {}", command.words,
                    command.positionals.empty() ? "no arguments" : command.positionals));
  }
  const int exit = command.run(arguments, streams);
  streams.out.flush();
  return exit;
}

}  // namespace

int Run(std::span<const std::string> words, const Environment& environment,
        const Streams& streams) {
  const auto commands = AllCommands();
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    PrintOverview(commands, words.empty() ? streams.err : streams.out);
    return words.empty() ? kUsage : kOk;
  }
  if (words[0] == "--version") {
    fmt::print(streams.out, "countersignctl {} ({})\n", Version(), Commit());
    return kOk;
  }
  try {
    for (const Command& command : commands) {
      if (const auto used = Matches(command, words)) {
        return RunCommand(command, words.subspan(used), environment, streams);
      }
    }
    const auto group = GroupOf(commands, words[0]);
    if (NamesAGroup(group, words)) {
      PrintOverview(group, words.size() == 1 ? streams.err : streams.out);
      return words.size() == 1 ? kUsage : kOk;
    }
    const auto named = words.first(group.empty() ? 1 : 2);
    throw UsageFault(fmt::format("no such command: {}", fmt::join(named, " ")));
  } catch (const UsageFault& fault) {
    fmt::print(streams.err, "countersignctl: {}; see --help\n", fault.what());
    return kUsage;
  } catch (const pg::Unavailable& fault) {
    fmt::print(streams.err, "countersignctl: {}\n", fault.what());
    return kUnavailable;
  } catch (const kafka::Fault& fault) {
    fmt::print(streams.err, "countersignctl: {}\n", fault.what());
    return kUnavailable;
  } catch (const std::exception& fault) {
    fmt::print(streams.err, "countersignctl: {}\n", fault.what());
    return kFailed;
  }
}

}  // namespace countersign::ctl
