#include "libs/crypto/sealed_box.h"

#include <algorithm>

#include "libs/core/invariant.h"
#include "libs/crypto/base64.h"

namespace countersign::crypto {
namespace {

constexpr std::string_view kPrefix = "v1.";
constexpr std::size_t kMaxKeyIdLength = 64;

bool IsKeyIdCharacter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

// A key id has no dot, so the two parts cannot be confused.
std::string Associated(std::string_view key_id, std::string_view context) {
  std::string associated(kPrefix);
  associated += key_id;
  associated += '.';
  associated += context;
  return associated;
}

}  // namespace

bool IsKeyId(std::string_view text) {
  return !text.empty() && text.size() <= kMaxKeyIdLength &&
         std::ranges::all_of(text, IsKeyIdCharacter);
}

std::string SealToText(const AesGcmKey& key, std::string_view key_id, Random& random,
                       std::string_view plaintext, std::string_view context) {
  Invariant(IsKeyId(key_id), "sealing under a name that is no key id");
  const std::string associated = Associated(key_id, context);
  std::string text(kPrefix);
  text += key_id;
  text += '.';
  text += Base64UrlEncode(key.Seal(random, AsBytes(plaintext), AsBytes(associated)));
  return text;
}

std::optional<SealedBox> ParseSealedBox(std::string_view text) {
  if (!text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos || !IsKeyId(text.substr(0, dot))) return std::nullopt;
  std::optional<Bytes> box = Base64UrlDecode(text.substr(dot + 1));
  if (!box || box->size() < AesGcmKey::kNonceBytes + AesGcmKey::kTagBytes) return std::nullopt;
  return SealedBox{std::string(text.substr(0, dot)), *std::move(box)};
}

std::optional<std::string> OpenSealedBox(const AesGcmKey& key, const SealedBox& sealed,
                                         std::string_view context) {
  const std::string associated = Associated(sealed.key_id, context);
  const std::optional<Bytes> plaintext = key.Open(sealed.box, AsBytes(associated));
  if (!plaintext) return std::nullopt;
  return std::string(AsText(*plaintext));
}

}  // namespace countersign::crypto
