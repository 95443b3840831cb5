#include "tests/services/auth/flows/installation.h"

#include <future>
#include <utility>

#include "services/auth/events.h"

namespace countersign::auth {
namespace {

constexpr std::string_view kIssuerName = "https://auth.example.com";
constexpr std::string_view kAudienceName = "fleet";
constexpr std::string_view kClient = "app";

}  // namespace

Installation::Installation(pg::ConnectionSettings settings, Keys& keys, CodeVerifier& verifier,
                           InstallationOptions options)
    : options_(std::move(options)),
      issuer_({.issuer = std::string(kIssuerName),
               .audiences = {std::string(kAudienceName)},
               .lifetime = options_.session.access_token},
              keys.signing_keys, keys.random),
      tokens_({.issuer = std::string(kIssuerName), .audiences = {std::string(kAudienceName)}},
              keys.signing_keys),
      refresh_tokens_(keys.refresh),
      sends_(settings, Writes(),
             SendWork({.limit = options_.limit,
                       .code_life = options_.code_life,
                       .user_created = events::kUserCreated,
                       .send_otp = events::kSendOtp})),
      completions_(settings, Writes(),
                   CompletionWork({.session = options_.session,
                                   .verified = events::kUserVerified,
                                   .logged_in = events::kLoggedIn,
                                   .login_failed = events::kLoginFailed})),
      refreshes_(settings, Writes(),
                 RefreshWork({.session = options_.session,
                              .refreshed = events::kRefreshed,
                              .revoked = events::kRevoked})),
      logouts_(settings, Writes(), LogoutWork(events::kLoggedOut)),
      verifications_(settings, Reads(), ReadWork()),
      sessions_(settings, Reads(), SessionReadWork()),
      profiles_(settings, Reads(), ProfileReadWork()),
      sender_(sends_, keys.phone, keys.recipient, keys.ids, keys.random),
      signup_(sender_, {}, keys.persons, keys.ids),
      login_(sender_, {}),
      resend_(verifications_, sender_, {}),
      verify_(Purpose::kSignup, {.reader = verifications_,
                                 .verifier = verifier,
                                 .batcher = completions_,
                                 .issuer = issuer_,
                                 .refresh_tokens = refresh_tokens_,
                                 .claim_keys = keys.claim,
                                 .persons = keys.persons,
                                 .ids = keys.ids,
                                 .client_id = std::string(kClient)}),
      validate_login_(Purpose::kLogin, {.reader = verifications_,
                                        .verifier = verifier,
                                        .batcher = completions_,
                                        .issuer = issuer_,
                                        .refresh_tokens = refresh_tokens_,
                                        .claim_keys = keys.claim,
                                        .persons = keys.persons,
                                        .ids = keys.ids,
                                        .client_id = std::string(kClient)}),
      refresh_({refreshes_, issuer_, refresh_tokens_, keys.ids}),
      logout_({logouts_, tokens_, refresh_tokens_, keys.ids}),
      introspect_({sessions_, tokens_}),
      get_profile_({profiles_, tokens_}) {}

// The flows go before the batchers, so the batchers' threads must be at rest by then.
Installation::~Installation() {
  verifications_.Stop();
  sends_.Stop();
  completions_.Stop();
  refreshes_.Stop();
  logouts_.Stop();
  sessions_.Stop();
  profiles_.Stop();
}

pg::BatcherOptions Installation::Writes() {
  return {.connections = options_.writers,
          .retry_connections = 1,
          .observe = [this](const pg::BatchReport& report) {
            if (report.failed) ++failed_statements_;
          }};
}

pg::BatcherOptions Installation::Reads() {
  return {.connections = 1, .retry_connections = 1, .distinct_keys = false, .read_only = true};
}

rpc::CallContext Installation::NewCall(std::string_view bearer) const {
  return rpc::CallContext{.deadline = std::chrono::steady_clock::now() + options_.patience,
                          .trace = {.trace_id = {1}, .span_id = {2}, .flags = 1},
                          .peer_ip = "192.0.2.7",
                          .user_agent = "flows-test/1",
                          .bearer = Secret<std::string>(std::string(bearer))};
}

// The promise is shared: the thread that keeps it may still be in set_value when this one goes on.
template <typename T, typename Start>
Result<T> Installation::Await(std::string_view bearer, const Start& start) {
  const auto promise = std::make_shared<std::promise<Result<T>>>();
  auto answer = promise->get_future();
  const rpc::CallContext call = NewCall(bearer);
  start(call, [promise](Result<T> result) { promise->set_value(std::move(result)); });
  return answer.get();
}

Result<StartedVerification> Installation::SignUp(const SignupWithPhone& request) {
  return Await<StartedVerification>({}, [&](const rpc::CallContext& call, auto answer) {
    signup_.Run(call, request, std::move(answer));
  });
}

Result<StartedVerification> Installation::LogIn(std::string_view phone) {
  return Await<StartedVerification>({}, [&](const rpc::CallContext& call, auto answer) {
    login_.Run(call, {.phone_number = phone}, std::move(answer));
  });
}

Result<StartedVerification> Installation::Resend(std::string_view verification_id) {
  return Await<StartedVerification>({}, [&](const rpc::CallContext& call, auto answer) {
    resend_.Run(call, {.verification_id = verification_id}, std::move(answer));
  });
}

Result<BegunSession> Installation::Verify(std::string_view verification_id, std::string_view code) {
  return Await<BegunSession>({}, [&](const rpc::CallContext& call, auto answer) {
    verify_.Run(call, {.verification_id = verification_id, .code = code, .device_id = "phone-1"},
                std::move(answer));
  });
}

Result<BegunSession> Installation::ValidateLogIn(std::string_view verification_id,
                                                 std::string_view code) {
  return Await<BegunSession>({}, [&](const rpc::CallContext& call, auto answer) {
    BeginValidatingLogIn(call, verification_id, code, std::move(answer));
  });
}

void Installation::BeginValidatingLogIn(const rpc::CallContext& call,
                                        std::string_view verification_id, std::string_view code,
                                        Answer<BegunSession> answer) {
  validate_login_.Run(call,
                      {.verification_id = verification_id, .code = code, .device_id = "phone-1"},
                      std::move(answer));
}

Result<SessionTokens> Installation::Refresh(std::string_view refresh_token) {
  return Await<SessionTokens>({}, [&](const rpc::CallContext& call, auto answer) {
    refresh_.Run(call, refresh_token, std::move(answer));
  });
}

Result<void> Installation::LogOut(std::string_view refresh_token) {
  return Await<void>({}, [&](const rpc::CallContext& call, auto answer) {
    logout_.Run(call, refresh_token, std::move(answer));
  });
}

Result<void> Installation::LogOutBearer(std::string_view access_token) {
  return Await<void>(access_token, [&](const rpc::CallContext& call, auto answer) {
    logout_.Run(call, {}, std::move(answer));
  });
}

Result<std::optional<IntrospectedToken>> Installation::Introspect(std::string_view token) {
  return Await<std::optional<IntrospectedToken>>({},
                                                 [&](const rpc::CallContext& call, auto answer) {
                                                   introspect_.Run(call, token, std::move(answer));
                                                 });
}

Result<Profile> Installation::GetProfile(std::string_view access_token, std::string_view user_id) {
  return Await<Profile>(access_token, [&](const rpc::CallContext& call, auto answer) {
    get_profile_.Run(call, user_id, std::move(answer));
  });
}

}  // namespace countersign::auth
