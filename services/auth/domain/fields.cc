#include "services/auth/domain/fields.h"

#include <algorithm>

#include "libs/core/utf8.h"
#include "services/auth/domain/country.h"

namespace countersign::auth {
namespace {

constexpr std::size_t kMaxNameCharacters = 128;
constexpr std::size_t kMaxPartCharacters = 64;
constexpr std::size_t kMaxEmailCharacters = 254;
constexpr std::size_t kMaxMailboxCharacters = 64;
constexpr std::size_t kMaxLocaleCharacters = 35;
constexpr std::size_t kMaxSubtagCharacters = 8;
constexpr std::size_t kMinCodeCharacters = 4;
constexpr std::size_t kMaxCodeCharacters = 10;

tl::unexpected<Error> Refuse(std::string_view field) {
  return Fail(reasons::kFieldInvalid, {.field = std::string(field)});
}

bool IsAlnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::size_t Characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

// C0 and DEL, and C1 (U+0080 to U+009F, which is C2 80 to C2 9F in UTF-8).
bool HasControl(std::string_view utf8) {
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto c = static_cast<unsigned char>(utf8[i]);
    if (c < 0x20 || c == 0x7F) return true;
    if (c == 0xC2 && i + 1 < utf8.size() && static_cast<unsigned char>(utf8[i + 1]) < 0xA0)
      return true;
  }
  return false;
}

bool IsDomainLabel(std::string_view label) {
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), [](char c) { return IsAlnum(c) || c == '-'; });
}

bool IsDomain(std::string_view domain) {
  std::size_t labels = 0;
  while (true) {
    const std::size_t dot = domain.find('.');
    if (!IsDomainLabel(domain.substr(0, dot))) return false;
    ++labels;
    if (dot == std::string_view::npos) return labels >= 2;
    domain.remove_prefix(dot + 1);
  }
}

// RFC 5321 dot-string: atoms with single dots between them.
bool IsMailbox(std::string_view mailbox) {
  constexpr std::string_view kAtomSigns = "!#$%&'*+-/=?^_`{|}~.";
  return !mailbox.empty() && mailbox.size() <= kMaxMailboxCharacters && mailbox.front() != '.' &&
         mailbox.back() != '.' && mailbox.find("..") == std::string_view::npos &&
         std::all_of(mailbox.begin(), mailbox.end(), [&](char c) {
           return IsAlnum(c) || kAtomSigns.find(c) != std::string_view::npos;
         });
}

}  // namespace

Result<std::string> CheckLine(std::string_view field, std::string_view text,
                              std::size_t max_characters) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (text.size() > 4 * max_characters || !IsUtf8(text) || HasControl(text) ||
      Characters(text) > max_characters)
    return Refuse(field);
  return std::string(text);
}

Result<PersonName> CheckName(const NameFields& fields) {
  auto whole = CheckLine("name", fields.name, kMaxNameCharacters);
  if (!whole) return Fail(std::move(whole.error()));
  auto first = CheckLine("first_name", fields.first_name, kMaxPartCharacters);
  if (!first) return Fail(std::move(first.error()));
  auto last = CheckLine("last_name", fields.last_name, kMaxPartCharacters);
  if (!last) return Fail(std::move(last.error()));
  if (whole->empty()) return PersonName{std::move(*first), std::move(*last)};
  if (!first->empty() || !last->empty()) return Refuse("name");

  const std::size_t space = whole->rfind(' ');
  if (space == std::string::npos) return PersonName{std::move(*whole), {}};
  PersonName split{whole->substr(0, space), whole->substr(space + 1)};
  split.first.erase(split.first.find_last_not_of(' ') + 1);
  return split;
}

Result<std::string> CheckEmail(std::string_view text) {
  if (text.empty()) return std::string();
  const std::size_t at = text.rfind('@');
  if (text.size() > kMaxEmailCharacters || at == std::string_view::npos ||
      !IsMailbox(text.substr(0, at)) || !IsDomain(text.substr(at + 1)))
    return Refuse("email");
  std::string email(text);
  std::transform(email.begin(), email.end(), email.begin(), Lower);
  return email;
}

Result<std::string> CheckCountry(std::string_view text, std::string_view fallback) {
  if (text.empty()) return std::string(fallback);
  if (text.size() != 2) return Refuse("country");
  std::string country(text);
  std::transform(country.begin(), country.end(), country.begin(), Upper);
  if (!IsCountry(country)) return Refuse("country");
  return country;
}

Result<std::string> CheckLocale(std::string_view text) {
  if (text.size() > kMaxLocaleCharacters) return Refuse("locale");
  std::size_t subtag = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '-' ? subtag == 0 || i + 1 == text.size() : !IsAlnum(text[i]))
      return Refuse("locale");
    subtag = text[i] == '-' ? 0 : subtag + 1;
    if (subtag > kMaxSubtagCharacters) return Refuse("locale");
  }
  return std::string(text);
}

Result<Secret<std::string>> CheckCode(std::string_view text) {
  if (text.size() < kMinCodeCharacters || text.size() > kMaxCodeCharacters ||
      !std::all_of(text.begin(), text.end(), IsAlnum))
    return Refuse("code");
  return Secret<std::string>(std::string(text));
}

Result<Secret<std::string>> CheckVerificationId(std::string_view text) {
  if (text.size() != kVerificationIdCharacters ||
      !std::all_of(text.begin(), text.end(),
                   [](char c) { return IsAlnum(c) || c == '-' || c == '_'; }))
    return Refuse("verification_id");
  return Secret<std::string>(std::string(text));
}

}  // namespace countersign::auth
