#pragma once
// The one list of reasons a call may be refused for. A client branches on `word`, which travels in
// google.rpc.ErrorInfo and never changes its meaning. docs/errors.md is printed from this list, and
// an Error cannot be made without one of its entries.
#include <array>
#include <string_view>

namespace countersign {

// What the caller may do about a refusal. Mapped to grpc::StatusCode in libs/rpc/status.cc only.
enum class ErrorKind {
  kInvalid,          // the request itself is wrong; never retry it unchanged
  kUnauthenticated,  // no or bad credentials
  kDenied,           // known caller, not allowed
  kNotFound,         // no such thing, or not for this caller
  kConflict,         // exists already
  kPrecondition,     // the state of the account forbids it
  kExhausted,        // a limit; retry after Error::retry_after
  kUnavailable,      // a dependency is away; retry with backoff
  kDeadline,         // the caller's time ran out
  kInternal,         // a bug of ours
};

struct Reason {
  std::string_view word;
  ErrorKind kind;
  std::string_view meaning;
  std::string_view client_action;
};

namespace reasons {

inline constexpr Reason kFieldInvalid{
    "FIELD_INVALID", ErrorKind::kInvalid, "A request field is missing or malformed.",
    "Correct the field named in google.rpc.BadRequest; do not retry unchanged."};
inline constexpr Reason kPhoneNumberInvalid{
    "PHONE_NUMBER_INVALID", ErrorKind::kInvalid,
    "The phone number is not a possible number in E.164 form.",
    "Ask the person for the number in international form, for example +14155550123."};
inline constexpr Reason kChannelUnsupported{
    "CHANNEL_UNSUPPORTED", ErrorKind::kInvalid, "The channel is not offered by this installation.",
    "Use another channel, or leave it out for the default."};
inline constexpr Reason kResendTooSoon{
    "RESEND_TOO_SOON", ErrorKind::kExhausted,
    "A code was sent to this number a moment ago; the cooldown grows with every send.",
    "Wait as long as google.rpc.RetryInfo says; show the person the countdown."};
inline constexpr Reason kSendLimitReached{
    "SEND_LIMIT_REACHED", ErrorKind::kExhausted,
    "The number has had all codes it may have in this hour or day.",
    "Wait as long as google.rpc.RetryInfo says."};
inline constexpr Reason kCodeRejected{
    "CODE_REJECTED", ErrorKind::kUnauthenticated,
    "The code is wrong, expired, used, out of attempts, or the verification is unknown. Which of "
    "these is not told, so that a guesser learns nothing.",
    "Let the person type it again, or offer ResendCode."};
inline constexpr Reason kAlreadyRegistered{
    "ALREADY_REGISTERED", ErrorKind::kConflict,
    "The number belongs to an active account. Told only after a right code.",
    "Sign in with LoginWithPhoneNumber."};
inline constexpr Reason kAccountNotVerified{
    "ACCOUNT_NOT_VERIFIED", ErrorKind::kPrecondition,
    "The account's number was never verified. Told only after a right code.",
    "Sign up again and verify with VerifyPhoneNumber."};
inline constexpr Reason kAccountSuspended{
    "ACCOUNT_SUSPENDED", ErrorKind::kPrecondition,
    "The account is suspended. Told only after a right code or a valid token.",
    "Tell the person to contact support."};
inline constexpr Reason kAccountNotFound{"ACCOUNT_NOT_FOUND", ErrorKind::kNotFound,
                                         "No account has this id.", "Check the id."};
inline constexpr Reason kCredentialsMissing{
    "CREDENTIALS_MISSING", ErrorKind::kUnauthenticated,
    "The call carries no bearer token or client certificate.",
    "Send metadata `authorization: Bearer <access token>`, or use the service's certificate."};
inline constexpr Reason kCallerNotAllowed{"CALLER_NOT_ALLOWED", ErrorKind::kDenied,
                                          "The caller is known but may not make this call.",
                                          "Do not retry; the identity needs another role."};
inline constexpr Reason kTokenInvalid{
    "TOKEN_INVALID", ErrorKind::kUnauthenticated,
    "The token is malformed, of another kind, for another audience, or its signature is wrong.",
    "Drop the token and sign in again."};
inline constexpr Reason kTokenExpired{
    "TOKEN_EXPIRED", ErrorKind::kUnauthenticated, "The token's time is over.",
    "Refresh an access token with RefreshToken; for a refresh token sign in again."};
inline constexpr Reason kSessionEnded{"SESSION_ENDED", ErrorKind::kUnauthenticated,
                                      "The session was logged out, revoked or has expired.",
                                      "Sign in again."};
inline constexpr Reason kRefreshTokenReused{
    "REFRESH_TOKEN_REUSED", ErrorKind::kUnauthenticated,
    "A refresh token was used after it had been replaced. The session was ended, since one of its "
    "holders is not the person.",
    "Sign in again; tell the person that all devices of this session were signed out."};
inline constexpr Reason kOverloaded{"OVERLOADED", ErrorKind::kExhausted,
                                    "A bounded queue of the server is full.",
                                    "Retry with exponential backoff and jitter."};
inline constexpr Reason kDependencyUnavailable{
    "DEPENDENCY_UNAVAILABLE", ErrorKind::kUnavailable,
    "The database or another service that must decide is away; nothing was accepted.",
    "Retry with exponential backoff and jitter."};
inline constexpr Reason kOutcomeUnknown{
    "OUTCOME_UNKNOWN", ErrorKind::kUnavailable,
    "The connection was lost while the change was being committed.",
    "Repeat the call: codes, tokens and sign-ups are safe to repeat."};
inline constexpr Reason kDeadlineExceeded{"DEADLINE_EXCEEDED", ErrorKind::kDeadline,
                                          "The call's time ran out before it was decided.",
                                          "Retry with a longer deadline."};
inline constexpr Reason kInternal{"INTERNAL", ErrorKind::kInternal,
                                  "A fault of the server; its log has the request id.",
                                  "Report it with the request id; retry once."};

inline constexpr std::array kAll = {
    &kFieldInvalid,     &kPhoneNumberInvalid,    &kChannelUnsupported, &kResendTooSoon,
    &kSendLimitReached, &kCodeRejected,          &kAlreadyRegistered,  &kAccountNotVerified,
    &kAccountSuspended, &kAccountNotFound,       &kCredentialsMissing, &kCallerNotAllowed,
    &kTokenInvalid,     &kTokenExpired,          &kSessionEnded,       &kRefreshTokenReused,
    &kOverloaded,       &kDependencyUnavailable, &kOutcomeUnknown,     &kDeadlineExceeded,
    &kInternal,
};

}  // namespace reasons
}  // namespace countersign
