#pragma once
// Request fields, checked before anything is paid for them: every refusal is FIELD_INVALID and
// names its field. Lengths are in code points; control characters and broken UTF-8 are refused
// everywhere.
#include <string>
#include <string_view>

#include "libs/core/result.h"
#include "libs/core/secret.h"

namespace countersign::auth {

// Free text of one line; white space around it is cut. May be empty.
[[nodiscard]] Result<std::string> CheckLine(std::string_view field, std::string_view text,
                                            std::size_t max_characters);

struct PersonName {
  std::string first;
  std::string last;
  bool operator==(const PersonName&) const = default;
};
struct NameFields {
  std::string_view name{};  // not together with the others; split at the last space
  std::string_view first_name{};
  std::string_view last_name{};
};
[[nodiscard]] Result<PersonName> CheckName(const NameFields& fields);

// Syntax only, at most 254 characters; kept in lower case, so that one address in two cases stays
// one. May be empty.
[[nodiscard]] Result<std::string> CheckEmail(std::string_view text);

// ISO 3166-1 alpha-2, either case; empty gives `fallback`.
[[nodiscard]] Result<std::string> CheckCountry(std::string_view text, std::string_view fallback);

// The form of a BCP 47 tag, at most 35 characters. May be empty.
[[nodiscard]] Result<std::string> CheckLocale(std::string_view text);

// 4 to 10 digits or letters.
[[nodiscard]] Result<Secret<std::string>> CheckCode(std::string_view text);

// 22 characters of base64url: 128 bits.
[[nodiscard]] Result<Secret<std::string>> CheckVerificationId(std::string_view text);

inline constexpr std::size_t kMaxDeviceCharacters = 128;
inline constexpr std::size_t kMaxSalutationCharacters = 32;
inline constexpr std::size_t kVerificationIdCharacters = 22;

}  // namespace countersign::auth
