#include "libs/config/load.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "libs/config/secret_file.h"
#include "libs/config/yaml_file.h"
#include "libs/core/version.h"

namespace countersign::config {
namespace {

constexpr int kExitUsage = 64;  // sysexits.h EX_USAGE

struct Options {
  std::string config_file{};
  bool strict = false;
  bool check = false;
};

struct Faults {
  std::vector<std::string> lines;
  std::vector<std::string> warnings;
};

void PrintHelp(const Program& program, const Keys& keys, std::ostream& out) {
  fmt::print(out,
             "{} {}\n{}\n\nusage: {} [options]\n\n"
             "  --config FILE         YAML file with the keys below; dots are levels\n"
             "  --strict              refuse secrets in plain environment variables\n"
             "  --check-config        print the effective configuration, secrets hidden, and exit\n"
             "  --print-config-keys   print the keys below as one JSON object a line\n"
             "  --version             print version and commit\n"
             "  --help                print this\n\n"
             "A value comes from the default, the file, the environment; the last one wins.\n"
             "A secret comes from the file that NAME_FILE names, or from NAME.\n\n",
             program.name, Version(), program.purpose, program.name);
  for (const Key& key : keys.all()) {
    fmt::print(out, "  {} ({}{})\n      {}", key.name, key.env, key.secret ? "[_FILE]" : "",
               key.spec.help);
    if (!key.spec.only.empty()) fmt::print(out, " One of {}.", fmt::join(key.spec.only, ", "));
    if (!key.spec.min.empty()) fmt::print(out, " At least {}.", key.spec.min);
    if (!key.spec.max.empty()) fmt::print(out, " At most {}.", key.spec.max);
    if (key.spec.required) {
      fmt::print(out, " Required.\n");
    } else {
      fmt::print(out, " Default: {}.\n", key.default_text.empty() ? "none" : key.default_text);
    }
  }
}

void PrintKeys(const Keys& keys, std::ostream& out) {
  for (const Key& key : keys.all()) {
    const nlohmann::ordered_json line = {{"key", key.name},
                                         {"env", key.env},
                                         {"type", key.type},
                                         {"default", key.default_text},
                                         {"required", key.spec.required},
                                         {"min", key.spec.min},
                                         {"max", key.spec.max},
                                         {"only", key.spec.only},
                                         {"help", key.spec.help}};
    out << line.dump() << "\n";
  }
}

// Replaces control characters, so that a value shown keeps to its line.
std::string OneLine(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

void PrintEffective(const Keys& keys, std::ostream& out) {
  for (const Key& key : keys.all()) fmt::print(out, "{}: {}\n", key.name, OneLine(key.show()));
}

void FromFile(const std::string& path, Keys& keys, Faults& faults) {
  const YamlFile file = ReadYaml(path);
  for (const std::string& fault : file.faults) faults.lines.push_back(fault);
  for (const YamlValue& value : file.values) {
    const std::string where = fmt::format("{}:{}: {}", path, value.line, value.key);
    const auto key = std::ranges::find(keys.all(), value.key, &Key::name);
    if (key == keys.all().end()) {
      faults.lines.push_back(where + ": no such key");
    } else if (key->secret) {
      faults.lines.push_back(
          fmt::format("{}: a secret is not kept here: set {}_FILE", where, key->env));
    } else if (value.is_list && key->type != "list") {
      faults.lines.push_back(where + ": one value is expected, not a list");
    } else if (const auto refusal = key->set(value.text)) {
      faults.lines.push_back(where + ": " + *refusal);
    }
  }
}

void SecretFromFile(Key& key, const std::string& path, Faults& faults) {
  const std::string where = fmt::format("environment: {}_FILE: {}", key.env, path);
  if (const auto fault = SecretFileFault(path)) {
    faults.lines.push_back(where + " " + *fault);
    return;
  }
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.ends_with('\n')) text.pop_back();
  if (const auto refusal = key.set(text)) faults.lines.push_back(where + ": " + *refusal);
}

void FromEnvironment(Key& key, const Environment& environment, bool strict, Faults& faults) {
  const auto value = environment(key.env);
  const auto file = key.secret ? environment(key.env + "_FILE") : std::nullopt;
  if (file) {
    if (value)
      faults.lines.push_back(fmt::format("environment: {0} and {0}_FILE are both set", key.env));
    return SecretFromFile(key, *file, faults);
  }
  if (!value) return;
  if (key.secret) {
    const std::string advice = fmt::format(
        "environment: {0}: a secret in the environment shows in process listings and "
        "dumps: use {0}_FILE",
        key.env);
    (strict ? faults.lines : faults.warnings).push_back(advice);
  }
  if (const auto refusal = key.set(*value)) {
    faults.lines.push_back(fmt::format("environment: {}: {}", key.env, *refusal));
  }
}

void CheckWhole(const Keys& keys, Faults& faults) {
  for (const Key& key : keys.all()) {
    const std::string shown = key.show();
    if (key.spec.required && (shown.empty() || (key.secret && shown == "<empty>"))) {
      faults.lines.push_back(fmt::format("{}: required: set it in the file or as {}{}", key.name,
                                         key.env, key.secret ? "_FILE" : ""));
    }
  }
  for (const auto& check : keys.checks()) {
    if (std::string fault = check(); !fault.empty()) faults.lines.push_back(std::move(fault));
  }
}

// The exit code if the arguments alone decide.
std::optional<int> ReadArguments(const Program& program, const Keys& keys,
                                 std::span<const std::string> arguments, const Streams& streams,
                                 Options& options) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--help") {
      PrintHelp(program, keys, streams.out);
      return 0;
    }
    if (argument == "--version") {
      fmt::print(streams.out, "{} {} ({})\n", program.name, Version(), Commit());
      return 0;
    }
    if (argument == "--print-config-keys") {
      PrintKeys(keys, streams.out);
      return 0;
    }
    if (argument == "--strict") {
      options.strict = true;
    } else if (argument == "--check-config") {
      options.check = true;
    } else if (argument == "--config" && i + 1 < arguments.size()) {
      options.config_file = arguments[++i];
    } else if (argument.starts_with("--config=")) {
      options.config_file = argument.substr(std::string_view("--config=").size());
    } else {
      fmt::print(streams.err, "{}: {}: no such option, or its value is missing; see --help\n",
                 program.name, OneLine(argument));
      return kExitUsage;
    }
  }
  return std::nullopt;
}

}  // namespace

Environment ProcessEnvironment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

std::optional<int> Load(const Program& program, Keys& keys, std::span<const std::string> arguments,
                        const Environment& environment, const Streams& streams) {
  Options options;
  if (const auto exit = ReadArguments(program, keys, arguments, streams, options)) return exit;
  Faults faults;
  if (!options.config_file.empty()) FromFile(options.config_file, keys, faults);
  for (Key& key : keys.all()) FromEnvironment(key, environment, options.strict, faults);
  CheckWhole(keys, faults);
  for (const std::string& warning : faults.warnings) {
    fmt::print(streams.err, "{}: warning: {}\n", program.name, OneLine(warning));
  }
  for (const std::string& fault : faults.lines) {
    fmt::print(streams.err, "{}: {}\n", program.name, OneLine(fault));
  }
  if (!faults.lines.empty()) return kExitConfig;
  if (options.check) {
    PrintEffective(keys, streams.out);
    return 0;
  }
  return std::nullopt;
}

}  // namespace countersign::config
