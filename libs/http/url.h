#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace countersign::http {

// RFC 3986 section 2.1: everything but the unreserved characters.
[[nodiscard]] std::string PercentEncode(std::string_view text);

// application/x-www-form-urlencoded, for a body or a query.
using FormFields = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] std::string FormEncode(const FormFields& fields);

// An absolute URL, taken apart.
struct UrlParts {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case, brackets of an IPv6 address removed
  std::string port;    // empty for the scheme's own
  std::string path;    // "/" at least
};
// Empty unless it is an absolute http or https URL without user, query and fragment.
[[nodiscard]] std::optional<UrlParts> ParseBaseUrl(const std::string& url);
// 127.0.0.0/8, ::1 and localhost.
[[nodiscard]] bool IsLoopback(std::string_view host);

}  // namespace countersign::http
