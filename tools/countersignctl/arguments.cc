#include "tools/countersignctl/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace countersign::ctl {
namespace {

// As the YAML of a process has it.
std::string SwitchFromEnvironment(const Option& option, const std::string& value) {
  if (value.empty() || value == "false") return {};
  if (value == "true") return "yes";
  throw UsageFault(fmt::format("{} must be true or false", option.env));
}

}  // namespace

Arguments::Arguments(std::span<const Option> options, std::span<const std::string> words,
                     const Environment& environment)
    : options_(options.begin(), options.end()) {
  for (const Option& option : options_) {
    std::string value(option.fallback);
    if (!option.env.empty()) value = environment(std::string(option.env)).value_or(value);
    if (option.placeholder.empty()) value = SwitchFromEnvironment(option, value);
    values_.emplace(option.name, value);
  }
  bool only_positionals = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (only_positionals || !word.starts_with('-') || word == "-") {
      positionals_.push_back(word);
    } else if (word == "--") {
      only_positionals = true;
    } else if (word == "--help" || word == "-h") {
      help_ = true;
    } else {
      const auto equals = word.find('=');
      const std::string name = word.substr(0, equals);
      if (!name.starts_with("--")) throw UsageFault(fmt::format("unknown option {}", name));
      const Option& option = Declared(std::string_view(name).substr(2));
      if (option.placeholder.empty()) {
        if (equals != std::string::npos) throw UsageFault(name + " takes no value");
        values_[std::string(option.name)] = "yes";
      } else if (equals != std::string::npos) {
        values_[std::string(option.name)] = word.substr(equals + 1);
      } else if (++i < words.size()) {
        values_[std::string(option.name)] = words[i];
      } else {
        throw UsageFault(fmt::format("{} needs a value: {}", name, option.placeholder));
      }
    }
  }
}

const Option& Arguments::Declared(std::string_view name) const {
  const auto found = std::ranges::find(options_, name, &Option::name);
  if (found == options_.end()) throw UsageFault(fmt::format("unknown option --{}", name));
  return *found;
}

std::string Arguments::Text(std::string_view option) const {
  return values_.find(Declared(option).name)->second;
}

std::string Arguments::Required(std::string_view option) const {
  std::string value = Text(option);
  if (!value.empty()) return value;
  const Option& declared = Declared(option);
  if (declared.env.empty()) throw UsageFault(fmt::format("--{} is needed", option));
  throw UsageFault(fmt::format("--{} or {} in the environment is needed", option, declared.env));
}

bool Arguments::Flag(std::string_view option) const { return !Text(option).empty(); }

long Arguments::Number(std::string_view option, long least, long most) const {
  const std::string text = Required(option);
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    throw UsageFault(fmt::format("--{} must be a whole number from {} to {}", option, least, most));
  }
  return value;
}

}  // namespace countersign::ctl
