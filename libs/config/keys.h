#pragma once
// The declarative list of a service's configuration keys. config.cc names each key once:
//
//   void Bind(Config& config, config::Keys& keys) {
//     keys.Text("database.url", config.database_url, {.help = "libpq conninfo", .required = true});
//     keys.Duration("grpc.deadline", config.deadline, {.help = "…", .min = "1ms", .max = "60s"});
//   }
//
// The value found in the struct when the key is added is its default. Order of strength: default,
// YAML file, environment, and for secrets NAME_FILE. The environment name is the prefix and the key
// in capitals, dots as underscores: AUTH_DATABASE_URL.
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/core/result.h"
#include "libs/core/secret.h"
#include "libs/log/logger.h"

namespace countersign::config {

struct Spec {
  std::string help{};     // one sentence for --help and docs/configuration.md
  bool required = false;  // an empty value is then a fault
  std::string min{};      // lowest value, in the key's own notation ("250ms", "1", "4KiB")
  std::string max{};      // highest value
  std::vector<std::string> only{};  // the words allowed, for text keys
};

struct Key {
  std::string name;  // dotted path in the YAML file
  std::string env;
  std::string type;  // text, flag, integer, number, duration, size, list, secret
  std::string default_text;
  Spec spec;
  bool secret = false;
  // Takes a value in text form; the refusal says what is wrong with it, never what it is.
  std::function<std::optional<std::string>(std::string_view)> set;
  std::function<std::string()> show;  // the effective value; secrets show as <set> or <empty>
};

// Bytes, written "64KiB", "16MiB", "1GiB" or "512B".
struct Size {
  std::uint64_t bytes = 0;
  auto operator<=>(const Size&) const = default;
};

class Keys {
 public:
  explicit Keys(std::string env_prefix) : prefix_(std::move(env_prefix)) {}

  void Text(std::string name, std::string& target, Spec spec);
  void Flag(std::string name, bool& target, Spec spec);
  void Integer(std::string name, int& target, Spec spec);
  void Integer(std::string name, std::int64_t& target, Spec spec);
  void Number(std::string name, double& target, Spec spec);
  // "250ms", "30s", "5m", "2h", "7d"; a bare number is refused. Kept in milliseconds.
  void Duration(std::string name, std::chrono::milliseconds& target, Spec spec);
  void Bytes(std::string name, Size& target, Spec spec);
  // YAML sequence, or commas in the environment.
  void List(std::string name, std::vector<std::string>& target, Spec spec);
  // Comes from NAME_FILE (mode and owner checked, one trailing newline dropped), or, with a
  // warning and not under --strict, from NAME. Never from the YAML file.
  void Hidden(std::string name, Secret<std::string>& target, Spec spec);
  void Level(std::string name, log::Level& target, Spec spec);
  // A check over several values, run after all of them are known; the text of a fault or empty.
  void Check(std::function<std::string()> check);

  [[nodiscard]] const std::vector<Key>& all() const { return keys_; }
  [[nodiscard]] std::vector<Key>& all() { return keys_; }
  [[nodiscard]] const std::vector<std::function<std::string()>>& checks() const { return checks_; }

 private:
  void Add(Key key, Spec spec);
  std::string prefix_;
  std::vector<Key> keys_;
  std::vector<std::function<std::string()>> checks_;
};

// "1500ms" -> 1.5 s; the detail of the refusal is fit for the operator.
[[nodiscard]] Result<std::chrono::milliseconds> ParseDuration(std::string_view text);
[[nodiscard]] std::string ToText(std::chrono::milliseconds duration);
[[nodiscard]] Result<Size> ParseSize(std::string_view text);
[[nodiscard]] std::string ToText(Size size);

}  // namespace countersign::config
