#include "services/auth/tokens/token_verifier.h"

#include <algorithm>
#include <utility>

#include "libs/core/invariant.h"
#include "libs/jose/claims.h"
#include "libs/jose/jws.h"
#include "services/auth/tokens/access_token_issuer.h"

namespace countersign::auth {
namespace {

// Year 9999: later dates are no dates but an attempt at an overflow.
constexpr std::int64_t kLatestDate = 253'402'300'799;

auto Invalid(std::string_view why) {
  return Fail(reasons::kTokenInvalid, {.field = {}, .detail = std::string(why)});
}

// Empty: absent, of another type or no date.
std::optional<Instant> Date(const jose::Claims& claims, std::string_view name) {
  const std::optional<std::int64_t> seconds = jose::NumberClaim(claims, name);
  if (!seconds || *seconds < 0 || *seconds > kLatestDate) return std::nullopt;
  return Instant(std::chrono::seconds(*seconds));
}

template <typename SomeId>
std::optional<SomeId> IdClaim(const jose::Claims& claims, std::string_view name) {
  const std::string* text = jose::TextClaim(claims, name);
  if (text == nullptr) return std::nullopt;
  const std::optional<Uuid> uuid = ParseUuid(*text);
  // One text for one id.
  if (!uuid || ToString(*uuid) != *text) return std::nullopt;
  return SomeId{*uuid};
}

std::vector<std::string> Audiences(const jose::Claims& claims) {
  if (const auto* list = jose::TextListClaim(claims, "aud")) return *list;
  if (const auto* text = jose::TextClaim(claims, "aud")) return {*text};
  return {};
}

// Every claim that RFC 9068 section 2.2 requires, and ours. Empty: one is missing or of a wrong
// type.
std::optional<VerifiedTokens::Entry> ReadClaims(const jose::Claims& claims) {
  const std::string* issuer = jose::TextClaim(claims, "iss");
  const std::string* client_id = jose::TextClaim(claims, "client_id");
  const std::string* role = jose::TextClaim(claims, "role");
  const std::string* token_id = jose::TextClaim(claims, "jti");
  const auto* methods = jose::TextListClaim(claims, "amr");
  const auto user_id = IdClaim<UserId>(claims, "sub");
  const auto session_id = IdClaim<SessionId>(claims, "sid");
  const auto issued_at = Date(claims, "iat");
  const auto expires_at = Date(claims, "exp");
  const auto not_before = Date(claims, "nbf");
  if (issuer == nullptr || client_id == nullptr || role == nullptr || token_id == nullptr ||
      token_id->empty() || methods == nullptr || !user_id || !session_id || !issued_at ||
      !expires_at || claims.contains("nbf") != not_before.has_value()) {
    return std::nullopt;
  }
  return VerifiedTokens::Entry{.key_id = {},
                               .claims = {.issuer = *issuer,
                                          .audiences = Audiences(claims),
                                          .user_id = *user_id,
                                          .session_id = *session_id,
                                          .client_id = *client_id,
                                          .methods = *methods,
                                          .role = *role,
                                          .token_id = *token_id,
                                          .issued_at = *issued_at,
                                          .expires_at = *expires_at},
                               .not_before = not_before};
}

// typ is a media type: compared without case, with or without `application/` (RFC 9068 section 4).
bool IsAccessTokenType(std::string_view typ) {
  std::string lower(typ);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return lower == kAccessTokenType || lower == "application/" + std::string(kAccessTokenType);
}

crypto::Digest ScopeOf(const AcceptedTokens& accepted) {
  std::string scope = accepted.issuer;
  for (const std::string& audience : accepted.audiences) {
    scope += '\0';
    scope += audience;
  }
  return crypto::Sha256(AsBytes(scope));
}

crypto::Digest CacheKey(const crypto::Digest& scope, std::string_view token) {
  std::string keyed(AsText(scope));
  keyed += token;
  return crypto::Sha256(AsBytes(keyed));
}

}  // namespace

TokenVerifier::TokenVerifier(AcceptedTokens accepted, SigningKeys& keys)
    : accepted_(std::move(accepted)),
      scope_(ScopeOf(accepted_)),
      keys_(keys),
      verified_(accepted_.cache_entries) {
  Invariant(accepted_.leeway <= std::chrono::seconds(60), "a leeway above 60 s (RFC 9068)");
}

Result<VerifiedTokens::Handle> TokenVerifier::Authenticate(std::string_view token) {
  if (token.size() > jose::kMaxTokenBytes) return Invalid("the token is too long");
  const crypto::Digest cache_key = CacheKey(scope_, token);
  if (VerifiedTokens::Handle known = verified_.Find(cache_key)) {
    if (!keys_.Find(known->key_id)) return Invalid("the token's key was retired");
    return known;
  }
  Result<VerifiedTokens::Handle> verified = VerifySignature(token);
  if (verified) verified_.Keep(cache_key, *verified);
  return verified;
}

const Reason* TokenVerifier::RefusalByTime(const VerifiedTokens::Entry& token, Instant now) const {
  if (now >= token.claims.expires_at + accepted_.leeway) return &reasons::kTokenExpired;
  if (token.not_before && now + accepted_.leeway < *token.not_before)
    return &reasons::kTokenInvalid;
  return nullptr;
}

Result<AccessTokenClaims> TokenVerifier::Verify(std::string_view token, Instant now) {
  const Result<VerifiedTokens::Handle> verified = Authenticate(token);
  if (!verified) return Fail(verified.error());
  if (const Reason* refusal = RefusalByTime(**verified, now)) return Fail(*refusal);
  return (*verified)->claims;
}

Result<VerifiedTokens::Handle> TokenVerifier::VerifySignature(std::string_view token) {
  const Result<jose::UnverifiedJws> jws = jose::UnverifiedJws::Parse(token);
  if (!jws) return Fail(jws.error());
  if (!IsAccessTokenType(jws->header().typ)) return Invalid("no access token");
  const SigningKeys::Handle key = keys_.Find(jws->header().kid);
  if (!key) return Invalid("unknown signing key");
  const Result<std::string> payload = jws->Verify(key->handle->material.Public());
  if (!payload) return Fail(payload.error());

  const std::optional<jose::Claims> claims = jose::ParseClaims(*payload);
  if (!claims) return Invalid("the claims are not strict JSON");
  std::optional<VerifiedTokens::Entry> entry = ReadClaims(*claims);
  if (!entry) return Invalid("a claim is missing or of a wrong type");
  if (entry->claims.issuer != accepted_.issuer) return Invalid("another issuer");
  const bool is_for_us = std::ranges::any_of(entry->claims.audiences, [&](const auto& audience) {
    return std::ranges::find(accepted_.audiences, audience) != accepted_.audiences.end();
  });
  if (!is_for_us) return Invalid("another audience");
  entry->key_id = key->key_id;
  return VerifiedTokens::Handle(std::make_shared<const VerifiedTokens::Entry>(*std::move(entry)));
}

}  // namespace countersign::auth
