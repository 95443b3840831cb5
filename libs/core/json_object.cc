#include "libs/core/json_object.h"

#include <utility>

namespace countersign {
namespace {

constexpr std::size_t kTypicalBytes = 512;

}  // namespace

JsonObject::JsonObject() { json_.reserve(kTypicalBytes); }

JsonObject& JsonObject::Text(std::string_view name, std::string_view value) {
  Name(name);
  Quote(value);
  return *this;
}

JsonObject& JsonObject::TextUnlessEmpty(std::string_view name, std::string_view value) {
  return value.empty() ? *this : Text(name, value);
}

JsonObject& JsonObject::Plain(std::string_view name, std::string_view value) {
  Name(name);
  json_ += value;
  return *this;
}

JsonObject& JsonObject::Texts(std::string_view name, const std::vector<std::string>& values) {
  Name(name);
  json_ += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) json_ += ',';
    Quote(values[i]);
  }
  json_ += ']';
  return *this;
}

std::string JsonObject::Close() {
  json_ += json_.empty() ? "{}" : "}";
  return std::move(json_);
}

void JsonObject::Name(std::string_view name) {
  json_ += json_.empty() ? "{\"" : ",\"";
  json_ += name;
  json_ += "\":";
}

void JsonObject::Quote(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  json_ += '"';
  std::size_t copied = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    json_.append(text, copied, i - copied);
    copied = i;
    if (c >= 0x20) {
      json_ += '\\';
      continue;
    }
    json_ += "\\u00";
    json_ += kHex[c >> 4];
    json_ += kHex[c & 15];
    ++copied;
  }
  json_.append(text, copied);
  json_ += '"';
}

}  // namespace countersign
