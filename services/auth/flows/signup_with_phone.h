#pragma once
#include <optional>
#include <string_view>

#include "libs/keystore/person_keys.h"
#include "services/auth/flows/code_sender.h"

namespace countersign::auth {

// As it came in, unchecked.
struct SignupWithPhone {
  std::string_view phone_number{};
  std::string_view name{};
  std::string_view first_name{};
  std::string_view last_name{};
  std::string_view email{};
  std::string_view country{};
  std::string_view salutation{};
  std::optional<Channel> channel{};
  std::string_view locale{};
  std::string_view device_id{};
};

// Makes a pending account, if the number has none, and asks for a code. New, pending and registered
// numbers get the same answer. Thread safe.
class SignupWithPhoneFlow {
 public:
  SignupWithPhoneFlow(CodeSender& sender, ChannelOffer channels, keystore::PersonKeys& persons,
                      UuidV7& ids)
      : sender_(sender), channels_(std::move(channels)), persons_(persons), ids_(ids) {}

  void Run(const rpc::CallContext& call, const SignupWithPhone& request,
           Answer<StartedVerification> answer);

 private:
  CodeSender& sender_;
  const ChannelOffer channels_;
  keystore::PersonKeys& persons_;
  UuidV7& ids_;
};

}  // namespace countersign::auth
