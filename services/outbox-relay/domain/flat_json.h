#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace countersign::relay {

// Reads a JSON object whose values are all strings, {"traceparent": "00-..."}: all that an event's
// headers may be. RFC 8259, but nothing nested, no number, no null. Reuses its memory.
class FlatJson {
 public:
  using Member = std::pair<std::string_view, std::string_view>;

  // Empty if the text is anything else; the views are valid until the next Read and as long as
  // `text` is. Escapes are resolved; a lone surrogate or a NUL is refused.
  [[nodiscard]] std::optional<std::vector<Member>*> Read(std::string_view text);

 private:
  bool ReadObject();
  bool ReadString(std::string_view& value);
  bool Unescape(std::string_view raw, std::string_view& value);
  void SkipSpace();
  bool Eat(char c);

  std::string_view rest_;
  std::vector<Member> members_;
  std::string unescaped_;
};

}  // namespace countersign::relay
