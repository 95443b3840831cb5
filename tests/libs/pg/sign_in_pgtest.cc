#include "libs/pg/sign_in.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

#include "tests/support/database.h"

namespace countersign::pg {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr milliseconds kLimit{5'000};

ConnectionSettings At(const std::string& conninfo) {
  return {.conninfo = Secret<std::string>(conninfo)};
}

// Says one thing to whoever connects, as a server would before it lets them in; or nothing at all.
class Doorman {
 public:
  explicit Doorman(std::string saying) : saying_(std::move(saying)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(listener_, 1) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("cannot listen");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { Serve(); });
  }
  ~Doorman() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

  [[nodiscard]] ConnectionSettings Settings() const {
    return At(
        "host=127.0.0.1 sslmode=disable gssencmode=disable user=u password=planted dbname=d port=" +
        std::to_string(port_));
  }

 private:
  void Serve() const {
    const int peer = accept(listener_, nullptr, nullptr);
    if (peer < 0) return;
    std::array<char, 1024> startup{};
    static_cast<void>(recv(peer, startup.data(), startup.size(), 0));
    if (!saying_.empty()) static_cast<void>(send(peer, saying_.data(), saying_.size(), 0));
    // Until the other side hangs up.
    while (recv(peer, startup.data(), startup.size(), 0) > 0) {
    }
    close(peer);
  }

  const std::string saying_;
  const int listener_ = socket(AF_INET, SOCK_STREAM, 0);
  int port_ = 0;
  std::jthread thread_;
};

std::string Refusing(const std::string& sqlstate, const std::string& text) {
  using std::string_literals::operator""s;
  const std::string fields =
      "SFATAL\0VFATAL\0C"s + sqlstate + "\0M"s + text + "\0Fauth.c\0L1\0Rauth_failed\0\0"s;
  const auto length = static_cast<unsigned>(fields.size() + 4);
  return std::string("E") + static_cast<char>(length >> 24) + static_cast<char>(length >> 16) +
         static_cast<char>(length >> 8) + static_cast<char>(length) + fields;
}

TEST(SignIn, TellsARefusalInAnyLanguage) {
  const Doorman doorman(Refusing("28P01", "Passwort-Authentifizierung fehlgeschlagen"));
  EXPECT_THAT(WhyNotLetIn(doorman.Settings(), kLimit),
              AllOf(HasSubstr("28P01: Passwort-Authentifizierung"), Not(HasSubstr("planted")),
                    Not(HasSubstr("\n"))));
}

TEST(SignIn, AServerThatIsFullOrStartingIsOnlyAway) {
  for (const char* state : {"53300", "57P03"}) {
    const Doorman doorman(Refusing(state, "later"));
    EXPECT_EQ(WhyNotLetIn(doorman.Settings(), kLimit), "") << state;
  }
}

TEST(SignIn, ASilentServerIsOnlyAwayAndCostsTheLimit) {
  const Doorman doorman("");
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(WhyNotLetIn(doorman.Settings(), milliseconds(100)), "");
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_GE(took, milliseconds(99));
  EXPECT_LT(took, milliseconds(1'500));
}

TEST(SignIn, NobodyThereIsOnlyAway) {
  EXPECT_EQ(WhyNotLetIn(At("host=127.0.0.1 port=1 user=u dbname=d"), kLimit), "");
  EXPECT_EQ(WhyNotLetIn(At("host=/nonexistent user=u dbname=d"), kLimit), "");
}

TEST(SignIn, TellsAnAuthorityFileThatIsNotThere) {
  const Doorman doorman("S");  // agrees to TLS
  auto settings = doorman.Settings();
  const std::string with_tls = WithKeyword(settings.conninfo.Reveal(), "sslmode", "verify-full");
  settings.conninfo = Secret<std::string>(WithKeyword(with_tls, "sslrootcert", "/nonexistent.pem"));
  EXPECT_THAT(WhyNotLetIn(settings, kLimit), HasSubstr("/nonexistent.pem"));
}

using SignInTest = support::PgTest;

TEST_F(SignInTest, LetsTheRightRoleIn) { EXPECT_EQ(WhyNotLetIn(Settings(), kLimit), ""); }

TEST_F(SignInTest, TellsAWrongPassword) {
  auto settings = Settings();
  settings.password = Secret<std::string>("planted");
  EXPECT_THAT(WhyNotLetIn(settings, kLimit), AllOf(HasSubstr("28P01"), Not(HasSubstr("planted"))));
}

TEST_F(SignInTest, TellsAMissingPassword) {
  auto settings = Settings();
  settings.conninfo = Secret<std::string>(WithKeyword(Conninfo(), "password", ""));
  EXPECT_THAT(WhyNotLetIn(settings, kLimit), HasSubstr("no password supplied"));
}

TEST_F(SignInTest, TellsAMissingDatabase) {
  auto settings = Settings();
  settings.conninfo = Secret<std::string>(WithKeyword(Conninfo(), "dbname", "nowhere"));
  EXPECT_THAT(WhyNotLetIn(settings, kLimit), HasSubstr("3D000"));
}

TEST_F(SignInTest, TellsAServerWithoutTlsWhereItIsDemanded) {
  auto settings = Settings();
  settings.conninfo = Secret<std::string>(WithKeyword(Conninfo(), "sslmode", "require"));
  EXPECT_THAT(WhyNotLetIn(settings, kLimit), HasSubstr("does not support SSL"));
}

}  // namespace
}  // namespace countersign::pg
