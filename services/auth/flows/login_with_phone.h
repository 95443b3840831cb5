#pragma once
#include <optional>
#include <string_view>

#include "services/auth/flows/code_sender.h"

namespace countersign::auth {

// As it came in, unchecked.
struct LoginWithPhone {
  std::string_view phone_number{};
  std::optional<Channel> channel{};
  std::string_view locale{};
};

// Asks for a code to log in with. A number without an account gets the same answer and a decoy that
// is counted and never sent. Thread safe.
class LoginWithPhoneFlow {
 public:
  LoginWithPhoneFlow(CodeSender& sender, ChannelOffer channels)
      : sender_(sender), channels_(std::move(channels)) {}

  void Run(const rpc::CallContext& call, const LoginWithPhone& request,
           Answer<StartedVerification> answer);

 private:
  CodeSender& sender_;
  const ChannelOffer channels_;
};

}  // namespace countersign::auth
