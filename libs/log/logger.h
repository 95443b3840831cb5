#pragma once
// JSON lines on stderr: {"ts":"…","level":"info","service":"auth","msg":"…",…fields}. One call is
// one line and one write(2). Control characters and broken UTF-8 are escaped, so no text can forge
// a line or a field. A Secret<T> does not convert to a field: logging one does not compile.
#include <unistd.h>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace countersign::log {

enum class Level { kDebug, kInfo, kWarn, kError };

[[nodiscard]] std::string_view ToString(Level level);
// "debug", "info", "warn" or "error".
[[nodiscard]] std::optional<Level> ParseLevel(std::string_view word);

// One name and value of a line. Keeps views: make it where the line is written.
struct Field {
  Field(std::string_view name, std::string_view text) : key(name), value(text) {}
  Field(std::string_view name, const std::string& text) : key(name), value(text) {}
  Field(std::string_view name, const char* text) : key(name), value(std::string_view(text)) {}
  Field(std::string_view name, bool truth) : key(name), value(truth) {}
  Field(std::string_view name, double number) : key(name), value(number) {}
  template <std::integral Number>
  requires(!std::same_as<Number, bool>) Field(std::string_view name, Number number)
      : key(name), value(static_cast<std::int64_t>(number)) {}

  std::string_view key;
  std::variant<std::string_view, bool, double, std::int64_t> value;
};

// Thread safe. Values longer than 1024 bytes are cut and end in "…". A failed write is ignored: a
// service must not die of its log.
class Logger {
 public:
  Logger(std::string service, Level level, int fd = STDERR_FILENO);

  void Debug(std::string_view msg, std::initializer_list<Field> fields = {}) const;
  void Info(std::string_view msg, std::initializer_list<Field> fields = {}) const;
  void Warn(std::string_view msg, std::initializer_list<Field> fields = {}) const;
  void Error(std::string_view msg, std::initializer_list<Field> fields = {}) const;

  // For lines whose level or fields depend on the outcome.
  void Write(Level level, std::string_view msg, const Field* begin, const Field* end) const;
  [[nodiscard]] bool Enabled(Level level) const { return level >= level_; }

 private:
  std::string service_;
  Level level_;
  int fd_;
  mutable std::mutex mutex_;  // keeps the pieces of a partial write together
};

// How a phone number may appear in a log: country code and last two digits, "+44•••23".
[[nodiscard]] std::string RedactedPhone(std::string_view e164);

}  // namespace countersign::log
