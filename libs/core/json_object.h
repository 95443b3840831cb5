#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace countersign {

// Writes one flat JSON object, members in the order they are added. For event payloads, where a
// general writer takes ten times as long. Texts must be UTF-8; RFC 8259 section 7 asks for no more
// escapes than are made here. Not thread safe.
class JsonObject {
 public:
  JsonObject();

  JsonObject& Text(std::string_view name, std::string_view value);
  JsonObject& TextUnlessEmpty(std::string_view name, std::string_view value);
  // Written as it is: a number, `true`, or a mark that a statement replaces by one.
  JsonObject& Plain(std::string_view name, std::string_view value);
  JsonObject& Texts(std::string_view name, const std::vector<std::string>& values);
  // Ends it; the object is of no more use.
  [[nodiscard]] std::string Close();

 private:
  void Name(std::string_view name);
  void Quote(std::string_view text);

  std::string json_;
};

}  // namespace countersign
