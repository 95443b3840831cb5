#include "services/outbox-relay/domain/flat_json.h"

#include <charconv>
#include <cstdint>

namespace countersign::relay {
namespace {

std::optional<std::uint32_t> FourHexDigits(std::string_view text) {
  std::uint32_t value = 0;
  if (text.size() < 4) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + 4, value, 16);
  if (error != std::errc{} || end != text.data() + 4) return std::nullopt;
  return value;
}

void AppendUtf8(std::string& out, std::uint32_t code) {
  const auto push = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    push(code);
  } else if (code < 0x800) {
    push(0xc0 | code >> 6);
    push(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    push(0xe0 | code >> 12);
    push(0x80 | (code >> 6 & 0x3f));
    push(0x80 | (code & 0x3f));
  } else {
    push(0xf0 | code >> 18);
    push(0x80 | (code >> 12 & 0x3f));
    push(0x80 | (code >> 6 & 0x3f));
    push(0x80 | (code & 0x3f));
  }
}

// One \uXXXX, or two for a character beyond the basic plane; `text` starts after the first \u.
std::optional<std::uint32_t> EatUnicode(std::string_view& text) {
  const auto first = FourHexDigits(text);
  if (!first || *first == 0) return std::nullopt;
  text.remove_prefix(4);
  if (*first < 0xd800 || *first > 0xdfff) return first;
  if (*first > 0xdbff || !text.starts_with("\\u")) return std::nullopt;
  const auto second = FourHexDigits(text.substr(2));
  if (!second || *second < 0xdc00 || *second > 0xdfff) return std::nullopt;
  text.remove_prefix(6);
  return 0x10000 + ((*first - 0xd800) << 10) + (*second - 0xdc00);
}

}  // namespace

std::optional<std::vector<FlatJson::Member>*> FlatJson::Read(std::string_view text) {
  rest_ = text;
  members_.clear();
  unescaped_.clear();
  // Unescaped text is never longer than its source, so views into it stay where they are.
  unescaped_.reserve(text.size());
  if (!ReadObject()) return std::nullopt;
  return &members_;
}

bool FlatJson::ReadObject() {
  SkipSpace();
  if (!Eat('{')) return false;
  SkipSpace();
  if (!Eat('}')) {
    do {
      Member member;
      SkipSpace();
      if (!ReadString(member.first)) return false;
      SkipSpace();
      if (!Eat(':')) return false;
      SkipSpace();
      if (!ReadString(member.second)) return false;
      members_.push_back(member);
      SkipSpace();
    } while (Eat(','));
    if (!Eat('}')) return false;
  }
  SkipSpace();
  return rest_.empty();
}

bool FlatJson::ReadString(std::string_view& value) {
  if (!Eat('"')) return false;
  bool escaped = false;
  for (std::size_t i = 0; i < rest_.size(); ++i) {
    const char c = rest_[i];
    if (static_cast<unsigned char>(c) < 0x20) return false;
    if (c == '\\') {
      escaped = true;
      ++i;
    } else if (c == '"') {
      const auto raw = rest_.substr(0, i);
      rest_.remove_prefix(i + 1);
      value = raw;
      return !escaped || Unescape(raw, value);
    }
  }
  return false;
}

bool FlatJson::Unescape(std::string_view raw, std::string_view& value) {
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  const std::size_t start = unescaped_.size();
  while (!raw.empty()) {
    const char c = raw.front();
    raw.remove_prefix(1);
    if (c != '\\') {
      unescaped_.push_back(c);
      continue;
    }
    const char letter = raw.front();  // ReadString never ends a string inside an escape
    raw.remove_prefix(1);
    if (letter == 'u') {
      const auto code = EatUnicode(raw);
      if (!code) return false;
      AppendUtf8(unescaped_, *code);
    } else {
      const auto which = kLetters.find(letter);
      if (which == std::string_view::npos) return false;
      unescaped_.push_back(kMeanings[which]);
    }
  }
  value = std::string_view(unescaped_).substr(start);
  return true;
}

void FlatJson::SkipSpace() {
  const auto count = rest_.find_first_not_of(" \t\r\n");
  rest_.remove_prefix(count == std::string_view::npos ? rest_.size() : count);
}

bool FlatJson::Eat(char c) {
  if (rest_.empty() || rest_.front() != c) return false;
  rest_.remove_prefix(1);
  return true;
}

}  // namespace countersign::relay
