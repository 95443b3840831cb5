#pragma once
// OtpService of api/countersign/otp/v1: who may call, convert, run the flow, convert.
#include "libs/rpc/service.h"
#include "services/otp/flows/verify_otp.h"

namespace countersign::otp {

class OtpService {
 public:
  // Both must outlive it and the calls in flight.
  OtpService(rpc::Guard& guard, VerifyOtpFlow& verify);

  // For rpc::Server.
  [[nodiscard]] rpc::Service& service() { return service_; }

 private:
  rpc::Service service_;
};

}  // namespace countersign::otp
