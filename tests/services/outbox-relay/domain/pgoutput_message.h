#pragma once
// Writes messages as PostgreSQL does: big endian, texts that end with a zero byte.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace countersign::relay {

class Bytes {
 public:
  Bytes& Type(char type) { return Raw({&type, 1}); }
  Bytes& Byte(std::uint8_t value) { return Number(value, 1); }
  Bytes& Number16(std::uint16_t value) { return Number(value, 2); }
  Bytes& Number32(std::uint32_t value) { return Number(value, 4); }
  Bytes& Number64(std::uint64_t value) { return Number(value, 8); }
  Bytes& ZeroEnded(std::string_view text) { return Raw(text).Byte(0); }
  // A column in text format.
  Bytes& Value(std::string_view text) {
    return Type('t').Number32(static_cast<std::uint32_t>(text.size())).Raw(text);
  }
  Bytes& Raw(std::string_view bytes) {
    text_ += bytes;
    return *this;
  }
  [[nodiscard]] const std::string& Text() const { return text_; }

 private:
  Bytes& Number(std::uint64_t value, int size) {
    for (int i = size - 1; i >= 0; --i) text_ += static_cast<char>(value >> (8 * i) & 0xff);
    return *this;
  }
  std::string text_;
};

inline std::string RelationMessage(std::uint32_t oid, std::string_view schema,
                                   std::string_view table,
                                   const std::vector<std::string_view>& columns) {
  Bytes bytes;
  bytes.Type('R').Number32(oid).ZeroEnded(schema).ZeroEnded(table).Type('d');
  bytes.Number16(static_cast<std::uint16_t>(columns.size()));
  for (const auto column : columns) {
    bytes.Byte(0).ZeroEnded(column).Number32(25).Number32(0xffffffffU);
  }
  return bytes.Text();
}

}  // namespace countersign::relay
