// pause, resume, drain and step-down as an operator meets them, against a real admin socket whose
// relay is played by the test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "libs/core/clock.h"
#include "libs/metrics/registry.h"
#include "services/outbox-relay/admin.h"
#include "tests/support/log_sink.h"
#include "tests/tools/countersignctl/ctl_run.h"

namespace countersign::ctl {
namespace {

using relay::Control;
using relay::Mode;
using relay::Role;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class RelayAdminTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = std::filesystem::temp_directory_path() / "admin.XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    socket_ = folder_ / "admin.sock";
    admin_ = std::make_unique<relay::Admin>(
        relay::AdminSettings{
            .socket = socket_, .database = {}, .source = relay::Source::kTable, .slot = "s"},
        control_, observer_, logger_);
    control_.Say({.role = Role::kLeads, .reading = true});
  }
  void TearDown() override {
    player_ = {};
    admin_.reset();
    std::filesystem::remove_all(folder_);
  }
  // A relay that does what it is told; with `drains`, to the end.
  void Obey(bool drains = true) {
    control_.BeginTerm(term_);
    player_ = std::jthread([this, drains](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        const Role role = term_.stop_requested() ? Role::kSteppedAside : Role::kLeads;
        control_.Say({.role = role, .reading = control_.MayRead() && role == Role::kLeads});
        if (const auto drain = control_.WantsDrain(); drain && drains) control_.AllRead(*drain);
        (void)control_.Settled();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
  }
  [[nodiscard]] Told Tell(const std::string& verb, std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"relay", verb, "--socket", socket_};
    words.insert(words.end(), more.begin(), more.end());
    return RunCtl(words);
  }

  std::filesystem::path folder_;
  std::string socket_;
  Control control_{[] {}};
  metrics::Registry registry_;
  SystemClock clock_;
  relay::Observer observer_{registry_, clock_};
  tests::LogSink sink_;
  log::Logger logger_{"relay", log::Level::kInfo, sink_.fd()};
  std::unique_ptr<relay::Admin> admin_;
  std::stop_source term_;
  std::jthread player_;
};

TEST_F(RelayAdminTest, EachVerbSaysWhatItFound) {
  Obey();
  EXPECT_EQ(Tell("pause").out, "paused; it was running\n");
  EXPECT_EQ(Tell("pause").out, "it was paused already\n");
  EXPECT_EQ(Tell("resume").out, "resumed; it was paused\n");
  EXPECT_EQ(Tell("resume").out, "it was running already\n");
  EXPECT_THAT(sink_.Text(), HasSubstr("\"verb\":\"pause\""));
}

TEST_F(RelayAdminTest, ADrainEndsPausedAndMayBeAskedForAgain) {
  Obey();
  const auto told = Tell("drain");
  EXPECT_EQ(told.exit, kOk) << told.err;
  EXPECT_THAT(told.out, StartsWith("drained: "));
  EXPECT_EQ(control_.Look().mode, Mode::kDrained);
  const auto again = Tell("drain", {"--json"});
  const auto json = nlohmann::json::parse(again.out);
  EXPECT_EQ(json["found"], "drained");
  EXPECT_EQ(json["state"], "drained");
}

TEST_F(RelayAdminTest, ADrainThatTakesTooLongIsGivenUpAndToldEverySecond) {
  Obey(false);
  observer_.Trouble("event 7 is held: no such topic");
  const auto told = Tell("drain", {"--timeout", "2"});
  EXPECT_EQ(told.exit, kFailed);
  EXPECT_THAT(told.err, HasSubstr("draining: 0 events on their way"));
  EXPECT_THAT(told.err, HasSubstr("not drained after 2 s"));
  EXPECT_THAT(told.err, HasSubstr("event 7 is held: no such topic; the relay is running as"));
  EXPECT_EQ(control_.Look().mode, Mode::kRunning);
  EXPECT_EQ(told.out, "");
}

TEST_F(RelayAdminTest, ADrainThatSomebodyElseEndsIsNoSuccess) {
  Obey(false);
  std::jthread other([this] {
    while (control_.Look().mode != Mode::kDraining) std::this_thread::yield();
    (void)control_.Pause();
  });
  const auto told = Tell("drain");
  EXPECT_EQ(told.exit, kFailed);
  EXPECT_THAT(told.err, HasSubstr("somebody else ended the drain: it is paused"));
}

TEST_F(RelayAdminTest, OneThatDoesNotLeadIsNeitherDrainedNorDoesItStepDown) {
  control_.Say(Role::kStandsBy);
  EXPECT_THAT(Tell("drain").err,
              HasSubstr("only the relay that leads can be drained; this one: stands by"));
  EXPECT_EQ(Tell("drain").exit, kFailed);
  EXPECT_THAT(Tell("step-down").err, HasSubstr("nothing to step down from; this one: stands by"));
  EXPECT_EQ(Tell("step-down").exit, kFailed);
  EXPECT_THAT(Tell("pause").out, HasSubstr("it does not lead (stands by), and the one that does"));
}

TEST_F(RelayAdminTest, ALeaderStepsDown) {
  Obey();
  const auto told = Tell("step-down");
  EXPECT_EQ(told.exit, kOk) << told.err;
  EXPECT_THAT(told.out, StartsWith("stepped down; "));
}

TEST_F(RelayAdminTest, SaysWhyNobodyAnswers) {
  EXPECT_EQ(RunCtl({"relay", "pause"}).exit, kUsage);
  EXPECT_THAT(RunCtl({"relay", "pause"}).err, HasSubstr("RELAY_ADMIN_SOCKET"));
  admin_.reset();
  const auto gone = Tell("pause");
  EXPECT_EQ(gone.exit, kUnavailable);
  EXPECT_THAT(gone.err, HasSubstr("there is no such file"));
  EXPECT_EQ(Tell("drain", {"--timeout", "0"}).exit, kUsage);
  EXPECT_THAT(RunCtl({"relay", "resume", "--socket", "/" + std::string(200, 'x')}).err,
              HasSubstr("too long"));
}

TEST_F(RelayAdminTest, TheSocketIsFoundByTheEnvironment) {
  Obey();
  const auto told = RunCtl({"relay", "pause"}, {{"RELAY_ADMIN_SOCKET", socket_}});
  EXPECT_EQ(told.exit, kOk) << told.err;
}

// Something else listens there.
TEST_F(RelayAdminTest, AnAnswerOfSomethingElseIsNotObeyed) {
  admin_.reset();
  endpoint::LocalListener listener(socket_);
  const endpoint::Server server(listener.TakeSocket(), [](const endpoint::Request&) {
    return endpoint::Answer{.body = "ok\n"};
  });
  EXPECT_THAT(Tell("pause").err, HasSubstr("is no relay of this version"));
  EXPECT_EQ(Tell("pause").exit, kFailed);
}

}  // namespace
}  // namespace countersign::ctl
