#include "services/otp/rpc/otp_service.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "countersign/otp/v1/otp.pb.h"

namespace countersign::otp {
namespace {

// The only one that may have codes checked: whoever else can ask can guess.
constexpr char kCaller[] = "auth";

std::optional<Purpose> Read(v1::Purpose purpose) {
  switch (purpose) {
    case v1::PURPOSE_SIGNUP:
      return Purpose::kSignup;
    case v1::PURPOSE_LOGIN:
      return Purpose::kLogin;
    default:
      return std::nullopt;
  }
}

Result<Guess> Read(const v1::VerifyOtpRequest& request) {
  const auto challenge = ParseUuid(request.challenge_id());
  if (!challenge) return Fail(reasons::kFieldInvalid, {.field = "challenge_id"});
  if (!IsGuess(request.code())) return Fail(reasons::kFieldInvalid, {.field = "code"});
  const auto purpose = Read(request.purpose());
  if (!purpose) return Fail(reasons::kFieldInvalid, {.field = "purpose"});
  Guess guess{.challenge_id = {*challenge},
              .purpose = *purpose,
              .code = Secret<std::string>(request.code()),
              .claim_id = {},
              .context_digest = {}};
  const ByteView claim = AsBytes(request.claim_id());
  if (claim.size() != guess.claim_id.size()) {
    return Fail(reasons::kFieldInvalid, {.field = "claim_id"});
  }
  std::ranges::copy(claim, guess.claim_id.begin());
  const ByteView context = AsBytes(request.context_digest());
  if (!context.empty() && context.size() != Hash().size()) {
    return Fail(reasons::kFieldInvalid, {.field = "context_digest"});
  }
  guess.context_digest.assign(context.begin(), context.end());
  return guess;
}

v1::Verdict ToVerdict(Verdict verdict) {
  switch (verdict) {
    case Verdict::kApproved:
      return v1::VERDICT_APPROVED;
    case Verdict::kWrong:
      return v1::VERDICT_WRONG;
    case Verdict::kExhausted:
      return v1::VERDICT_EXHAUSTED;
    case Verdict::kExpired:
      return v1::VERDICT_EXPIRED;
    case Verdict::kUsed:
      return v1::VERDICT_USED;
    case Verdict::kNotFound:
      break;
  }
  return v1::VERDICT_NOT_FOUND;
}

v1::VerifyOtpResponse ToResponse(const Judgement& judgement) {
  v1::VerifyOtpResponse response;
  response.set_verdict(ToVerdict(judgement.verdict));
  response.set_attempts_left(judgement.attempts_left);
  return response;
}

}  // namespace

OtpService::OtpService(rpc::Guard& guard, VerifyOtpFlow& verify)
    : service_(guard, "countersign.otp.v1.OtpService") {
  service_.Unary<v1::VerifyOtpRequest, v1::VerifyOtpResponse>(
      "VerifyOtp", rpc::Access::Identity(kCaller),
      [&verify](const rpc::CallContext& call, const v1::VerifyOtpRequest& request,
                rpc::Done<v1::VerifyOtpResponse> done) {
        auto guess = Read(request);
        if (!guess) return done(Fail(std::move(guess.error())));
        verify.Run(call, std::move(*guess),
                   [done = std::move(done)](const Result<Judgement>& judgement) {
                     if (!judgement) return done(Fail(judgement.error()));
                     done(ToResponse(*judgement));
                   });
      });
}

}  // namespace countersign::otp
