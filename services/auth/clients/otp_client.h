#pragma once
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>

#include "countersign/otp/v1/otp.grpc.pb.h"
#include "libs/core/random.h"
#include "libs/rpc/client.h"
#include "services/auth/flows/code_verifier.h"

namespace countersign::auth {

// Has codes checked by the otp service. Only a verdict of the contract is an answer; whatever else
// comes or does not come is an error. A check whose answer was lost on the way is sent once more
// while there is time: the claim id makes it the same guess. Thread safe.
class OtpClient final : public CodeVerifier {
 public:
  // `cap`: the most a check may take. Connects with the first check.
  OtpClient(std::shared_ptr<grpc::Channel> channel, std::chrono::milliseconds cap, Random& random);
  // As Stop().
  ~OtpClient() override;
  OtpClient(const OtpClient&) = delete;
  OtpClient& operator=(const OtpClient&) = delete;

  // Besides what otp may refuse with: DEPENDENCY_UNAVAILABLE (not reached, or not let in),
  // DEADLINE_EXCEEDED, INTERNAL (an answer that makes no sense).
  void Verify(const rpc::CallContext& call, const CodeGuess& guess,
              Answer<Verdict> answer) override;

  // Cancels the checks under way and returns when all are answered; later ones are refused with
  // DEPENDENCY_UNAVAILABLE. Not from within an answer.
  void Stop();

 private:
  struct Check;
  using CheckPtr = std::shared_ptr<Check>;  // owners: in_flight_, and Stop while it cancels

  void Send(CheckPtr check);
  void Finish(Check& check, const grpc::Status& status);
  // False: stopping.
  [[nodiscard]] bool Remember(const CheckPtr& check);
  void Forget(const Check& check);

  const std::unique_ptr<otp::v1::OtpService::Stub> stub_;
  const std::chrono::milliseconds cap_;
  Random& random_;

  std::mutex mutex_;
  std::condition_variable idle_;
  std::map<const Check*, CheckPtr> in_flight_;  // guarded by mutex_, as the next two
  std::size_t unfinished_ = 0;  // those of in_flight_ and those that are just being destroyed
  bool stopping_ = false;
};

}  // namespace countersign::auth
