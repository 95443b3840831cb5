#pragma once
// The command line of one subcommand, from one declaration: parsing, environment, --help.
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace countersign::ctl {

// An option every command takes: `--name VALUE`, `--name=VALUE`, or `--name` alone for a switch.
struct Option {
  std::string_view name;         // without the dashes
  std::string_view placeholder;  // "" for a switch
  std::string_view help;
  std::string_view fallback = "";  // value when it is not given
  std::string_view env = "";       // variable that is asked before the fallback
};

// The person typed something that cannot be: exit 64, with the text.
class UsageFault final : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

using Environment = std::function<std::optional<std::string>(const std::string&)>;

class Arguments {
 public:
  // Throws UsageFault for an unknown option, a missing value, or a number of positional arguments
  // outside [least, most].
  Arguments(std::span<const Option> options, std::span<const std::string> words,
            const Environment& environment);

  // Value by option, environment, fallback; may be empty.
  [[nodiscard]] std::string Text(std::string_view option) const;
  // As Text, but throws UsageFault, naming option and variable, if empty.
  [[nodiscard]] std::string Required(std::string_view option) const;
  [[nodiscard]] bool Flag(std::string_view option) const;
  // Throws UsageFault unless it is a whole number in [least, most].
  [[nodiscard]] long Number(std::string_view option, long least, long most) const;
  [[nodiscard]] const std::vector<std::string>& positionals() const { return positionals_; }
  [[nodiscard]] bool help() const { return help_; }

 private:
  [[nodiscard]] const Option& Declared(std::string_view name) const;
  std::vector<Option> options_;
  std::map<std::string, std::string, std::less<>> values_;
  std::vector<std::string> positionals_;
  bool help_ = false;
};

}  // namespace countersign::ctl
