#include "libs/pg/codec.h"

#include <charconv>

#include "libs/core/utf8.h"
#include "libs/pg/errors.h"

namespace countersign::pg {
namespace {

// The decimal number in text[at, at + width).
int Digits(std::string_view text, std::size_t at, std::size_t width) {
  int value = 0;
  if (at + width > text.size()) throw UnexpectedResult("not a timestamptz in ISO form");
  for (const char c : text.substr(at, width)) {
    if (c < '0' || c > '9') throw UnexpectedResult("not a timestamptz in ISO form");
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace

void CheckText(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) throw InvalidText("a text holds NUL");
  if (!IsUtf8(text)) throw InvalidText("a text is not UTF-8");
}

void RenderBytea(std::string& out, ByteView bytes) {
  out += "\\x";
  AppendHex(out, bytes);
}

void RenderUuid(std::string& out, const Uuid& uuid) { out += ToString(uuid); }

void RenderInstant(std::string& out, Instant instant) {
  if (instant == Instant::min()) {
    out += "-infinity";
  } else if (instant == Instant::max()) {
    out += "infinity";
  } else {
    out += ToRfc3339(instant);
  }
}

Bytes ParseBytea(std::string_view text) {
  if (!text.starts_with("\\x")) throw UnexpectedResult("not a bytea in hex form");
  auto bytes = FromHex(text.substr(2));
  if (!bytes) throw UnexpectedResult("not a bytea in hex form");
  return *std::move(bytes);
}

Uuid ParseUuidColumn(std::string_view text) {
  const auto uuid = ParseUuid(text);
  if (!uuid) throw UnexpectedResult("not a uuid");
  return *uuid;
}

// "2026-01-02 03:04:05.678+00": our connections ask for ISO dates in UTC.
Instant ParseInstant(std::string_view text) {
  if (text == "infinity") return Instant::max();
  if (text == "-infinity") return Instant::min();
  if (text.size() < 22 || text[4] != '-' || text[10] != ' ' || !text.ends_with("+00")) {
    throw UnexpectedResult("not a timestamptz of the years 0 to 9999 in ISO form and UTC");
  }
  const std::chrono::year_month_day day{
      std::chrono::year(Digits(text, 0, 4)),
      std::chrono::month(static_cast<unsigned>(Digits(text, 5, 2))),
      std::chrono::day(static_cast<unsigned>(Digits(text, 8, 2)))};
  std::int64_t micros = 0;
  if (text[19] == '.') {
    const std::size_t width = text.size() - 3 - 20;
    if (width > 6) throw UnexpectedResult("not a timestamptz in ISO form");
    micros = Digits(text, 20, width);
    for (std::size_t i = width; i < 6; ++i) micros *= 10;
  }
  return std::chrono::sys_days(day) + std::chrono::hours(Digits(text, 11, 2)) +
         std::chrono::minutes(Digits(text, 14, 2)) + std::chrono::seconds(Digits(text, 17, 2)) +
         std::chrono::microseconds(micros);
}

bool ParseBool(std::string_view text) {
  if (text == "t") return true;
  if (text == "f") return false;
  throw UnexpectedResult("not a boolean");
}

double ParseDouble(std::string_view text) {
  double value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || end != text.data() + text.size()) ThrowNotANumber();
  return value;
}

void ThrowNotANumber() { throw UnexpectedResult("not a number of this type"); }

}  // namespace countersign::pg
