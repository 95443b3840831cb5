#include "services/auth/clients/otp_client.h"

#include <utility>
#include <vector>

#include "libs/core/hex.h"
#include "libs/rpc/status.h"

namespace countersign::auth {

namespace otp_v1 = countersign::otp::v1;

// One try of a check.
struct OtpClient::Check {
  const rpc::CallContext& call;  // good until `answer` is called
  otp_v1::VerifyOtpRequest request;
  Answer<Verdict> answer;
  bool is_repeat = false;
  grpc::ClientContext context{};
  otp_v1::VerifyOtpResponse response{};

  Check(const rpc::CallContext& served, otp_v1::VerifyOtpRequest guess, Answer<Verdict> to)
      : call(served), request(std::move(guess)), answer(std::move(to)) {}
};

namespace {

otp_v1::Purpose ToWire(Purpose purpose) {
  switch (purpose) {
    case Purpose::kSignup:
      return otp_v1::PURPOSE_SIGNUP;
    case Purpose::kLogin:
      return otp_v1::PURPOSE_LOGIN;
  }
  return otp_v1::PURPOSE_UNSPECIFIED;
}

Result<Verdict> FromWire(otp_v1::Verdict verdict) {
  switch (verdict) {
    case otp_v1::VERDICT_APPROVED:
      return Verdict::kApproved;
    case otp_v1::VERDICT_WRONG:
      return Verdict::kWrong;
    case otp_v1::VERDICT_EXHAUSTED:
      return Verdict::kExhausted;
    case otp_v1::VERDICT_EXPIRED:
      return Verdict::kExpired;
    case otp_v1::VERDICT_NOT_FOUND:
      return Verdict::kNotFound;
    case otp_v1::VERDICT_USED:
      return Verdict::kUsed;
    default:
      return Fail(reasons::kInternal, {.detail = "otp: a verdict that the contract does not have"});
  }
}

// Whether the outcome is unknown: the answer was lost between the two, or otp itself lost it. What
// otp refused knowingly is not asked again.
bool IsLost(const grpc::Status& status, const Error& error) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE &&
         (status.error_details().empty() || error.reason == &reasons::kOutcomeUnknown);
}

Error ToError(const grpc::Status& status) {
  Error error = rpc::FromStatus(status);
  error.detail = "otp: " + error.detail;
  // The transport's own words: which address, what went wrong in the handshake.
  if (status.error_details().empty()) error.detail += ": " + status.error_message();
  return error;
}

}  // namespace

OtpClient::OtpClient(std::shared_ptr<grpc::Channel> channel, std::chrono::milliseconds cap,
                     Random& random)
    : stub_(otp_v1::OtpService::NewStub(std::move(channel))), cap_(cap), random_(random) {}

OtpClient::~OtpClient() { Stop(); }

void OtpClient::Verify(const rpc::CallContext& call, const CodeGuess& guess,
                       Answer<Verdict> answer) {
  otp_v1::VerifyOtpRequest request;
  request.set_challenge_id(ToString(guess.challenge_id));
  request.set_code(guess.code.Reveal());
  request.set_purpose(ToWire(guess.purpose));
  request.set_claim_id(std::string(AsText(guess.claim_id)));
  Send(std::make_shared<Check>(call, std::move(request), std::move(answer)));
}

void OtpClient::Send(CheckPtr check) {
  if (TimeLeft(check->call.deadline).count() <= 0)
    return check->answer(Fail(reasons::kDeadlineExceeded));
  if (!Remember(check))
    return check->answer(Fail(reasons::kDependencyUnavailable, {.detail = "stopping"}));
  Check& sent = *check;
  check.reset();
  rpc::Continue(sent.call, cap_, random_, sent.context);
  stub_->async()->VerifyOtp(&sent.context, &sent.request, &sent.response,
                            [this, &sent](const grpc::Status& status) { Finish(sent, status); });
}

void OtpClient::Finish(Check& check, const grpc::Status& status) {
  if (status.ok()) {
    check.answer(FromWire(check.response.verdict()));
  } else if (Error error = ToError(status); IsLost(status, error) && !check.is_repeat) {
    auto repeat =
        std::make_shared<Check>(check.call, std::move(check.request), std::move(check.answer));
    repeat->is_repeat = true;
    Send(std::move(repeat));
  } else {
    check.answer(Fail(std::move(error)));
  }
  Forget(check);
}

bool OtpClient::Remember(const CheckPtr& check) {
  const std::scoped_lock lock(mutex_);
  if (stopping_) return false;
  in_flight_.emplace(check.get(), check);
  ++unfinished_;
  return true;
}

// This is a thread of the channel's own: it must not be the channel's last owner, or grpc has it
// join itself. So the check's share goes before Stop may return.
void OtpClient::Forget(const Check& check) {
  {
    std::unique_lock lock(mutex_);
    const auto share = in_flight_.extract(&check);
    lock.unlock();
  }
  const std::scoped_lock lock(mutex_);
  if (--unfinished_ == 0) idle_.notify_all();
}

void OtpClient::Stop() {
  std::vector<CheckPtr> checks;
  std::unique_lock lock(mutex_);
  stopping_ = true;
  for (const auto& [key, check] : in_flight_) checks.push_back(check);
  lock.unlock();
  for (const CheckPtr& check : checks) check->context.TryCancel();
  lock.lock();
  idle_.wait(lock, [this] { return unfinished_ == 0; });
}

}  // namespace countersign::auth
