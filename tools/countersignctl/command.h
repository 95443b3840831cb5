#pragma once
// A subcommand: its words, its help and what it does.
#include <istream>
#include <ostream>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "tools/countersignctl/arguments.h"

namespace countersign::ctl {

// Exit codes, the same for every command.
inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;        // refused, or a fault; the text says which
inline constexpr int kDiffers = 3;       // a status or diff command found something to do
inline constexpr int kUsage = 64;        // sysexits.h EX_USAGE
inline constexpr int kUnavailable = 69;  // EX_UNAVAILABLE: the database, Kafka or a service is away
inline constexpr int kInterrupted = 130;  // Ctrl-C, as a shell tells it

// What the operator must read, without a prefix: exit 1.
class Failure final : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Streams {
  std::ostream& out;
  std::ostream& err;
  std::istream* terminal = nullptr;  // where a person can be asked; null: nobody is there
};

struct Command {
  std::string_view words;        // "migrate up"
  std::string_view positionals;  // "METHOD JSON"; "" for none
  std::string_view summary;      // one line
  std::string_view details;      // more for --help; may be empty
  std::vector<Option> options;
  std::size_t least_positionals = 0;
  std::size_t most_positionals = 0;
  // Returns the exit code. Throws UsageFault, Failure and the faults of the libraries.
  int (*run)(const Arguments&, const Streams&);
};

inline constexpr Option kJson{"json", "", "machine-readable output"};

[[nodiscard]] std::vector<Command> MigrateCommands();
[[nodiscard]] std::vector<Command> TopicsCommands();
[[nodiscard]] std::vector<Command> CallCommands();
[[nodiscard]] std::vector<Command> OutboxCommands();
[[nodiscard]] std::vector<Command> RelayCommands();
[[nodiscard]] std::vector<Command> LogCommands();
[[nodiscard]] std::vector<Command> RelayAdminCommands();
[[nodiscard]] std::vector<Command> RelayParkedCommands();
[[nodiscard]] std::vector<Command> EventsCommands();
[[nodiscard]] std::vector<Command> KeysCommands();
[[nodiscard]] std::vector<Command> RelayReplayCommands();
[[nodiscard]] std::vector<Command> RelayVerifyCommands();

// Those above, in the order of the overview.
[[nodiscard]] std::vector<Command> AllCommands();

// Runs the command that the words name; its exit code. All errors are told on `streams.err`.
[[nodiscard]] int Run(std::span<const std::string> words, const Environment& environment,
                      const Streams& streams);

}  // namespace countersign::ctl
