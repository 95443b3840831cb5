#pragma once
#include <memory>
#include <string>
#include <thread>

#include "libs/core/clock.h"
#include "libs/core/random.h"
#include "libs/core/uuid.h"
#include "libs/outbox/log_keeper.h"
#include "libs/process/process.h"
#include "libs/rpc/guard.h"
#include "libs/rpc/server.h"
#include "services/otp/batchers.h"
#include "services/otp/config.h"
#include "services/otp/consumer/verification_consumer.h"
#include "services/otp/flows/deliver_code.h"
#include "services/otp/flows/give_up_overdue.h"
#include "services/otp/flows/repeating.h"
#include "services/otp/flows/timer.h"
#include "services/otp/flows/verify_otp.h"
#include "services/otp/key_rings.h"
#include "services/otp/observer.h"
#include "services/otp/providers/provider.h"
#include "services/otp/rpc/otp_service.h"

namespace countersign::otp {

// The process: members in start order, destruction is the stop order.
class App {
 public:
  // Throws config::Fault for what only an operator can mend: a wrong database role, a provider that
  // does not know us, a listener without mutual TLS. What is merely away is waited for.
  App(const Config& config, process::Process& process);
  // Stops at once what was not stopped in order.
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Where OtpService listens: "127.0.0.1:50052".
  [[nodiscard]] const std::string& address() const { return server_.address(); }

 private:
  void Stop(Deadline deadline);
  void AskProviderAgain();

  const log::Logger& logger_;
  SystemClock clock_;
  SystemRandom random_;
  UuidV7 ids_;
  KeyRings keys_;
  Observer observer_;
  std::unique_ptr<providers::Provider> provider_;

  Batchers batchers_;
  outbox::LogKeeper log_keeper_;
  Timer timer_;
  DeliverCodeFlow deliver_;
  VerifyOtpFlow verify_;
  GiveUpOverdueFlow give_up_overdue_;

  rpc::Guard guard_;
  OtpService service_;
  rpc::Server server_;

  VerificationConsumer consumer_;
  Repeating sweep_;
  Repeating provider_watch_;
  std::jthread polling_;
};

}  // namespace countersign::otp
