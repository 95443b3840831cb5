#include "libs/config/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <utility>

#include "libs/core/invariant.h"

namespace countersign::config {
namespace {

using Refusal = std::optional<std::string>;

std::string EnvironmentName(const std::string& prefix, std::string_view key) {
  std::string name = prefix + "_";
  for (const char c : key) {
    name.push_back(c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  return name;
}

// The value, or why it is none. One overload for each type with a lowest and a highest value.
template <typename Number>
Result<Number> ParseNumber(std::string_view text, std::string_view expected) {
  Number number{};
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size()) {
    return Fail(reasons::kFieldInvalid, {.detail = std::string(expected)});
  }
  return number;
}
Result<int> ParseAs(std::string_view text, int /*tag*/) {
  return ParseNumber<int>(text, "a whole number is expected");
}
Result<std::int64_t> ParseAs(std::string_view text, std::int64_t /*tag*/) {
  return ParseNumber<std::int64_t>(text, "a whole number is expected");
}
Result<double> ParseAs(std::string_view text, double /*tag*/) {
  return ParseNumber<double>(text, "a number is expected");
}
Result<std::chrono::milliseconds> ParseAs(std::string_view text,
                                          std::chrono::milliseconds /*tag*/) {
  return ParseDuration(text);
}
Result<Size> ParseAs(std::string_view text, Size /*tag*/) { return ParseSize(text); }

std::string Render(int value) { return std::to_string(value); }
std::string Render(std::int64_t value) { return std::to_string(value); }
std::string Render(double value) { return fmt::format("{}", value); }
std::string Render(std::chrono::milliseconds value) { return ToText(value); }
std::string Render(Size value) { return ToText(value); }

template <typename T>
Refusal SetWithin(T& target, const Spec& spec, std::string_view text) {
  const auto value = ParseAs(text, T{});
  if (!value) return value.error().detail;
  for (const auto* bound : {&spec.min, &spec.max}) {
    if (bound->empty()) continue;
    const auto limit = ParseAs(*bound, T{});
    Invariant(limit.has_value(), "a key's bound is written in the key's own notation");
    if (bound == &spec.min ? *value < *limit : *value > *limit) {
      return (bound == &spec.min ? "at least " : "at most ") + *bound + " is expected";
    }
  }
  target = *value;
  return std::nullopt;
}

template <typename T>
Key RangedKey(std::string name, std::string type, T& target, const Spec& spec) {
  Key key;
  key.name = std::move(name);
  key.type = std::move(type);
  key.set = [&target, spec](std::string_view text) { return SetWithin(target, spec, text); };
  key.show = [&target] { return Render(target); };
  return key;
}

std::string Joined(const std::vector<std::string>& items, std::string_view separator) {
  return fmt::format("{}", fmt::join(items, separator));
}

}  // namespace

void Keys::Add(Key key, Spec spec) {
  key.env = EnvironmentName(prefix_, key.name);
  key.default_text = key.secret ? std::string() : key.show();
  key.spec = std::move(spec);
  const bool taken = std::ranges::any_of(
      keys_, [&](const Key& other) { return other.name == key.name || other.env == key.env; });
  Invariant(!taken, "a configuration key is named once");
  keys_.push_back(std::move(key));
}

void Keys::Text(std::string name, std::string& target, Spec spec) {
  Key key;
  key.name = std::move(name);
  key.type = "text";
  key.set = [&target, only = spec.only](std::string_view text) -> Refusal {
    if (!only.empty() && std::ranges::find(only, text) == only.end()) {
      return "one of " + Joined(only, ", ") + " is expected";
    }
    target = text;
    return std::nullopt;
  };
  key.show = [&target] { return target; };
  Add(std::move(key), std::move(spec));
}

void Keys::Flag(std::string name, bool& target, Spec spec) {
  Key key;
  key.name = std::move(name);
  key.type = "flag";
  key.set = [&target](std::string_view text) -> Refusal {
    if (text != "true" && text != "false") return "true or false is expected";
    target = text == "true";
    return std::nullopt;
  };
  key.show = [&target] { return std::string(target ? "true" : "false"); };
  Add(std::move(key), std::move(spec));
}

void Keys::Integer(std::string name, int& target, Spec spec) {
  Key key = RangedKey(std::move(name), "integer", target, spec);
  Add(std::move(key), std::move(spec));
}
void Keys::Integer(std::string name, std::int64_t& target, Spec spec) {
  Key key = RangedKey(std::move(name), "integer", target, spec);
  Add(std::move(key), std::move(spec));
}
void Keys::Number(std::string name, double& target, Spec spec) {
  Key key = RangedKey(std::move(name), "number", target, spec);
  Add(std::move(key), std::move(spec));
}
void Keys::Duration(std::string name, std::chrono::milliseconds& target, Spec spec) {
  Key key = RangedKey(std::move(name), "duration", target, spec);
  Add(std::move(key), std::move(spec));
}
void Keys::Bytes(std::string name, Size& target, Spec spec) {
  Key key = RangedKey(std::move(name), "size", target, spec);
  Add(std::move(key), std::move(spec));
}

void Keys::List(std::string name, std::vector<std::string>& target, Spec spec) {
  Key key;
  key.name = std::move(name);
  key.type = "list";
  key.set = [&target](std::string_view text) -> Refusal {
    target.clear();
    while (!text.empty()) {
      const auto comma = text.find(',');
      const std::string_view item = text.substr(0, comma);
      if (item.empty()) return "an item is empty";
      target.emplace_back(item);
      text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    }
    return std::nullopt;
  };
  key.show = [&target] { return Joined(target, ","); };
  Add(std::move(key), std::move(spec));
}

void Keys::Hidden(std::string name, Secret<std::string>& target, Spec spec) {
  Key key;
  key.name = std::move(name);
  key.type = "secret";
  key.secret = true;
  key.set = [&target](std::string_view text) -> Refusal {
    if (text.empty()) return "it is empty";
    target = Secret<std::string>(std::string(text));
    return std::nullopt;
  };
  key.show = [&target] { return std::string(target.Empty() ? "<empty>" : "<set>"); };
  Add(std::move(key), std::move(spec));
}

void Keys::Level(std::string name, log::Level& target, Spec spec) {
  Key key;
  key.name = std::move(name);
  key.type = "text";
  spec.only = {"debug", "info", "warn", "error"};
  key.set = [&target](std::string_view text) -> Refusal {
    const auto level = log::ParseLevel(text);
    if (!level) return "one of debug, info, warn, error is expected";
    target = *level;
    return std::nullopt;
  };
  key.show = [&target] { return std::string(log::ToString(target)); };
  Add(std::move(key), std::move(spec));
}

void Keys::Check(std::function<std::string()> check) { checks_.push_back(std::move(check)); }

}  // namespace countersign::config
