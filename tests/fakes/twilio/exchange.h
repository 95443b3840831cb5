#pragma once
// One HTTP call as the fake's parts see it, and its answer. No part but the server knows sockets.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace countersign::twilio_fake {

using Fields = std::vector<std::pair<std::string, std::string>>;

// The first value of `name`, empty if there is none.
[[nodiscard]] std::string_view Find(const Fields& fields, std::string_view name);
// application/x-www-form-urlencoded, which is also the form of a query.
[[nodiscard]] Fields ParseForm(std::string_view text);
[[nodiscard]] std::string PercentDecode(std::string_view text);
[[nodiscard]] std::string PercentEncode(std::string_view text);
// Empty for text that is not base64.
[[nodiscard]] std::string Base64Decode(std::string_view text);

struct Call {
  std::string method;
  std::string path;  // decoded, without the query
  std::string raw_target;
  Fields query;
  Fields form;
  std::string body;
  std::string content_type;
  std::string authorization;
  std::string request_id;
  std::string traceparent;
};

struct Reply {
  int status = 200;
  std::string body{};
  Fields headers{};
};

}  // namespace countersign::twilio_fake
