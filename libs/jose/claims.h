#pragma once
// The claims of a JWT as values (RFC 7519 section 4), read strictly: duplicate names at any level,
// text that is not UTF-8, anything after the object and nesting deeper than 8 are refused.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace countersign::jose {

// A value of a type that our tokens do not use (fraction, boolean, null, object, mixed list). Kept
// so that a known claim of a wrong type is seen as wrong and not as absent.
struct OtherJson {
  auto operator<=>(const OtherJson&) const = default;
};
using ClaimValue = std::variant<OtherJson, std::string, std::int64_t, std::vector<std::string>>;
using Claims = std::map<std::string, ClaimValue, std::less<>>;

// Empty for anything but one strict JSON object.
[[nodiscard]] std::optional<Claims> ParseClaims(std::string_view json);
// Names in byte order, no white space. OtherJson is not written.
[[nodiscard]] std::string RenderClaims(const Claims& claims);

// Null if absent or of another type.
[[nodiscard]] const std::string* TextClaim(const Claims& claims, std::string_view name);
[[nodiscard]] const std::vector<std::string>* TextListClaim(const Claims& claims,
                                                            std::string_view name);
[[nodiscard]] std::optional<std::int64_t> NumberClaim(const Claims& claims, std::string_view name);

}  // namespace countersign::jose
