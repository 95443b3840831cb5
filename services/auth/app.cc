#include "services/auth/app.h"

#include <utility>
#include <vector>

#include "libs/config/load.h"
#include "services/auth/events.h"
#include "services/auth/store/log_partitions.h"

namespace countersign::auth {
namespace {

// What is left of the time to stop goes to statements under way.
constexpr int kServerShareOfStopPercent = 70;

pg::ConnectionSettings DatabaseOf(const Config& config) {
  return service::SettingsOf(config.database, kDatabaseRole);
}

// A fault that waiting would not mend ends the start with exit code 78.
pg::ConnectionSettings CheckedDatabase(const Config& config) {
  pg::ConnectionSettings database = DatabaseOf(config);
  service::CheckDatabase(database, kDatabaseRole, [](pg::Connection& connection) {
    static_cast<void>(store::ReadLogDays(connection));
  });
  return database;
}

Batchers::Terms TermsOf(const Config& config) {
  return {.database = CheckedDatabase(config),
          .writers = static_cast<std::size_t>(config.database_writers),
          .readers = static_cast<std::size_t>(config.database_readers),
          .send = {.limit = SendLimitOf(config),
                   .code_life = std::chrono::duration_cast<std::chrono::seconds>(config.code_life),
                   .user_created = events::kUserCreated,
                   .send_otp = events::kSendOtp},
          .session = SessionTermsOf(config)};
}

}  // namespace

App::App(const Config& config, process::Process& process)
    : ids_(clock_, random_),
      keys_(config.keys_directory, clock_),
      persons_(keys_.person, random_),
      signing_keys_(keys_.signing),
      issuer_({.issuer = config.issuer,
               .audiences = config.audiences,
               .lifetime = SessionTermsOf(config).access_token},
              signing_keys_, random_),
      verifier_({.issuer = config.issuer, .audiences = config.audiences}, signing_keys_),
      refresh_tokens_(keys_.refresh),
      batchers_(TermsOf(config), process.metrics()),
      log_keeper_(DatabaseOf(config), config.database.log_days_ahead,
                  {.make = store::MakeLogPartitions, .days = store::ReadLogDays}, process.logger(),
                  process.metrics()),
      otp_(rpc::MakeChannel(config.otp), config.otp_deadline, random_),
      sender_(batchers_.sends, keys_.phone, keys_.recipient, ids_, random_),
      signup_(sender_, ChannelOfferOf(config), persons_, ids_),
      login_(sender_, ChannelOfferOf(config)),
      resend_(batchers_.verifications, sender_, ChannelOfferOf(config)),
      verify_signup_(Purpose::kSignup, RedeemParts(config)),
      validate_login_(Purpose::kLogin, RedeemParts(config)),
      profile_({.reader = batchers_.profiles, .verifier = verifier_}),
      refresh_({.batcher = batchers_.refreshes,
                .issuer = issuer_,
                .refresh_tokens = refresh_tokens_,
                .ids = ids_}),
      logout_({.batcher = batchers_.logouts,
               .verifier = verifier_,
               .refresh_tokens = refresh_tokens_,
               .ids = ids_}),
      introspect_({.reader = batchers_.sessions, .verifier = verifier_}),
      guard_(config.grpc.guard, process.logger(), process.metrics(), random_),
      service_(guard_, {.signup = signup_,
                        .login = login_,
                        .resend = resend_,
                        .verify_signup = verify_signup_,
                        .validate_login = validate_login_,
                        .profile = profile_,
                        .refresh = refresh_,
                        .logout = logout_,
                        .introspect = introspect_,
                        .signing_keys = signing_keys_}),
      server_(config.grpc, {&service_.service()}) {
  // After everything that may throw: these are asked as long as the process has its endpoint.
  WatchBatchers(process.metrics(), batchers_);
  WatchKeys(process.metrics(), keys_, clock_);
  process.OnHealth("database", [this] { return batchers_.Health(); });
  process.OnStop("auth", [this](Deadline deadline) { Stop(deadline); });
  process.logger().Info("serving", {{"grpc", server_.address()}});
}

App::~App() { Stop(std::chrono::steady_clock::now()); }

RedeemCodeFlow::Parts App::RedeemParts(const Config& config) {
  return {.reader = batchers_.verifications,
          .verifier = otp_,
          .batcher = batchers_.redemptions,
          .issuer = issuer_,
          .refresh_tokens = refresh_tokens_,
          .claim_keys = keys_.claim,
          .persons = persons_,
          .ids = ids_,
          .client_id = config.client_id};
}

// Accepted calls are answered while all behind them still runs; then what they left behind, from
// the front to the back.
void App::Stop(Deadline deadline) {
  log_keeper_.Quit();
  server_.Stop(std::chrono::steady_clock::now() +
               TimeLeft(deadline) * kServerShareOfStopPercent / 100);
  batchers_.StopLookUps();
  otp_.Stop();
  batchers_.StopChanges();
}

}  // namespace countersign::auth
