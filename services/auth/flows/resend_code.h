#pragma once
#include <optional>
#include <string_view>

#include "services/auth/flows/code_sender.h"
#include "services/auth/flows/verification_reader.h"

namespace countersign::auth {

// As it came in, unchecked.
struct ResendCode {
  std::string_view verification_id{};
  std::optional<Channel> channel{};  // empty: as before
};

// Asks for a new code for an open verification; otp lets the old one die and keeps counting.
// CODE_REJECTED if no open verification has the id. Thread safe.
class ResendCodeFlow {
 public:
  ResendCodeFlow(VerificationReader& reader, CodeSender& sender, ChannelOffer channels)
      : reader_(reader), sender_(sender), channels_(std::move(channels)) {}

  void Run(const rpc::CallContext& call, const ResendCode& request,
           Answer<StartedVerification> answer);

 private:
  VerificationReader& reader_;
  CodeSender& sender_;
  const ChannelOffer channels_;
};

}  // namespace countersign::auth
