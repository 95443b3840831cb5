#include "libs/log/logger.h"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <ctime>

#include "libs/core/utf8.h"

namespace countersign::log {
namespace {

constexpr std::size_t kMaxValueBytes = 1024;
constexpr std::string_view kCut = "…";

// Characters up to the next one that JSON or a terminal may misread. DEL and C1 controls count: a
// terminal obeys them.
std::size_t PlainPrefix(std::string_view text) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x20 || byte == '"' || byte == '\\' || byte >= 0x7f) break;
  }
  return at;
}

void AppendEscape(std::string& line, unsigned char byte) {
  fmt::format_to(std::back_inserter(line), FMT_COMPILE("\\u{:04x}"), byte);
}

void AppendEscaped(std::string& line, std::string_view text) {
  while (!text.empty()) {
    const std::size_t plain = PlainPrefix(text);
    line.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return;
    const auto byte = static_cast<unsigned char>(text[0]);
    const std::size_t character = Utf8Character(text);
    const bool c1_control =
        character == 2 && byte == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
    std::size_t taken = 1;
    if (byte == '"' || byte == '\\') {
      line.push_back('\\');
      line.push_back(text[0]);
    } else if (character <= 1) {
      AppendEscape(line, byte);  // a broken byte shows as the Latin-1 character of its value
    } else {
      taken = character;
      if (c1_control) {
        AppendEscape(line, static_cast<unsigned char>(text[1]));
      } else {
        line.append(text.substr(0, taken));
      }
    }
    text.remove_prefix(taken);
  }
}

void AppendText(std::string& line, std::string_view text) {
  line.push_back('"');
  if (text.size() > kMaxValueBytes) {
    text = text.substr(0, kMaxValueBytes);
    if (const std::size_t whole = Utf8Prefix(text); text.size() - whole < 4) {
      text = text.substr(0, whole);  // do not cut a character in two
    }
    AppendEscaped(line, text);
    line.append(kCut);
  } else {
    AppendEscaped(line, text);
  }
  line.push_back('"');
}

struct AppendValue {
  std::string& line;
  void operator()(std::string_view text) const { AppendText(line, text); }
  void operator()(bool truth) const { line.append(truth ? "true" : "false"); }
  void operator()(std::int64_t number) const {
    fmt::format_to(std::back_inserter(line), FMT_COMPILE("{}"), number);
  }
  void operator()(double number) const {
    if (!std::isfinite(number)) return AppendText(line, fmt::format("{}", number));
    fmt::format_to(std::back_inserter(line), FMT_COMPILE("{}"), number);
  }
};

// RFC 3339 in UTC with microseconds; the second's text is kept, since a busy thread writes many
// lines within one.
void AppendNow(std::string& line) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  thread_local std::time_t kept = -1;
  thread_local std::string text;
  if (now.tv_sec != kept) {
    tm parts{};
    gmtime_r(&now.tv_sec, &parts);
    text = fmt::format(FMT_COMPILE("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}"), parts.tm_year + 1900,
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    kept = now.tv_sec;
  }
  fmt::format_to(std::back_inserter(line), FMT_COMPILE("{}.{:06}Z"), text, now.tv_nsec / 1000);
}

void WriteAll(int fd, std::string_view line) {
  while (!line.empty()) {
    const ssize_t written = write(fd, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    line.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::string_view ToString(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "error";
}

std::optional<Level> ParseLevel(std::string_view word) {
  for (const Level level : {Level::kDebug, Level::kInfo, Level::kWarn, Level::kError}) {
    if (word == ToString(level)) return level;
  }
  return std::nullopt;
}

Logger::Logger(std::string service, Level level, int fd)
    : service_(std::move(service)), level_(level), fd_(fd) {}

void Logger::Debug(std::string_view msg, std::initializer_list<Field> fields) const {
  Write(Level::kDebug, msg, fields.begin(), fields.end());
}
void Logger::Info(std::string_view msg, std::initializer_list<Field> fields) const {
  Write(Level::kInfo, msg, fields.begin(), fields.end());
}
void Logger::Warn(std::string_view msg, std::initializer_list<Field> fields) const {
  Write(Level::kWarn, msg, fields.begin(), fields.end());
}
void Logger::Error(std::string_view msg, std::initializer_list<Field> fields) const {
  Write(Level::kError, msg, fields.begin(), fields.end());
}

void Logger::Write(Level level, std::string_view msg, const Field* begin, const Field* end) const {
  if (!Enabled(level)) return;
  thread_local std::string line;
  line.assign("{\"ts\":\"");
  AppendNow(line);
  line.append("\",\"level\":\"").append(ToString(level)).append("\",\"service\":");
  AppendText(line, service_);
  line.append(",\"msg\":");
  AppendText(line, msg);
  for (const Field* field = begin; field != end; ++field) {
    line.push_back(',');
    AppendText(line, field->key);
    line.push_back(':');
    std::visit(AppendValue{line}, field->value);
  }
  line.append("}\n");
  const std::scoped_lock lock(mutex_);
  WriteAll(fd_, line);
}

}  // namespace countersign::log
