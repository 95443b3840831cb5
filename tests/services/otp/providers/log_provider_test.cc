#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/libs/config/scratch.h"
#include "tests/services/otp/providers/at_fake.h"

namespace countersign::otp::providers {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class LogProviderTest : public testing::Test {
 protected:
  std::unique_ptr<Provider> Make(const std::string& codes_file = "") {
    Config config;
    config.provider = "log";
    config.codes_file = codes_file;
    return MakeProvider(config, at_.logger, at_.clock);
  }
  static std::vector<json> LinesOf(const std::string& path) {
    std::vector<json> lines;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) lines.push_back(json::parse(line));
    return lines;
  }
  static int ModeOf(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(stat(path.c_str(), &info), 0);
    return static_cast<int>(info.st_mode & 0777U);
  }

  AtFake at_;
  config::Scratch scratch_;
  std::string codes_file_ = scratch_.folder() / "codes";
};

TEST_F(LogProviderTest, NeedsACodeOfOurs) {
  EXPECT_EQ(Make()->Describe().name, "log");
  EXPECT_FALSE(Make()->Describe().makes_code);
}

TEST_F(LogProviderTest, OTP12_SaysThatACodeWouldHaveGoneOutAndNeitherCodeNorNumber) {
  const auto provider = Make();
  SendOrder order = at_.Order();
  const std::string attempt = ToString(order.attempt_id);

  const auto outcome = SendNow(*provider, std::move(order));

  EXPECT_EQ(outcome.status, SendStatus::kSent);
  EXPECT_EQ(outcome.provider_sid, attempt);
  const json line = at_.sink.Lines().back();
  EXPECT_EQ(line["to"], "+49•••78");
  EXPECT_EQ(line["attempt_id"], attempt);
  EXPECT_THAT(at_.sink.Text(), Not(HasSubstr("482915")));
  EXPECT_THAT(at_.sink.Text(), Not(HasSubstr("15112345678")));
}

TEST_F(LogProviderTest, WritesCodesToAFileOnlyItsOwnerCanRead) {
  const auto provider = Make(codes_file_);
  EXPECT_EQ(provider->SelfCheck(In(kPatience)).status, Health::Status::kReady);

  ASSERT_EQ(SendNow(*provider, at_.Order()).status, SendStatus::kSent);
  ASSERT_EQ(SendNow(*provider, at_.Order("+4915100000001")).status, SendStatus::kSent);

  const auto lines = LinesOf(codes_file_);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["to"], kPhone);
  EXPECT_EQ(lines[0]["code"], "482915");
  EXPECT_EQ(lines[0]["purpose"], "signup");
  EXPECT_EQ(lines[1]["to"], "+4915100000001");
  EXPECT_EQ(ModeOf(codes_file_), 0600);
  EXPECT_THAT(at_.sink.Text(), Not(HasSubstr("482915")));
}

TEST_F(LogProviderTest, RefusesAFileThatOthersMayRead) {
  const std::string open_to_all = scratch_.Write("codes", "", 0644);

  const Health health = Make(open_to_all)->SelfCheck(In(kPatience));

  EXPECT_EQ(health.status, Health::Status::kMisconfigured);
  EXPECT_THAT(health.message, HasSubstr("development.codes_file"));
}

TEST_F(LogProviderTest, RefusesAFileItCannotWrite) {
  const auto provider = Make(scratch_.folder() / "missing" / "codes");

  const Health health = provider->SelfCheck(In(kPatience));

  EXPECT_EQ(health.status, Health::Status::kMisconfigured);
  EXPECT_THAT(health.message, HasSubstr("development.codes_file"));
  EXPECT_EQ(SendNow(*provider, at_.Order()).status, SendStatus::kNotSent);
}

TEST_F(LogProviderTest, FollowsNoLinkOfSomebodyElse) {
  const std::string target = scratch_.Write("target", "");
  std::filesystem::create_symlink(target, codes_file_);

  EXPECT_EQ(Make(codes_file_)->SelfCheck(In(kPatience)).status, Health::Status::kMisconfigured);
}

TEST_F(LogProviderTest, ChecksAndCancelsNothing) {
  const auto provider = Make();
  EXPECT_EQ(CheckNow(*provider, {.provider_sid = "x", .purpose = "signup", .code = {}}).status,
            CheckStatus::kGone);
  EXPECT_EQ(CancelNow(*provider, {.provider_sid = "x", .purpose = "signup"}), CancelStatus::kDone);
}

TEST_F(LogProviderTest, SaysAtTheStartThatNobodyIsReached) {
  EXPECT_EQ(Make()->SelfCheck(In(kPatience)).status, Health::Status::kReady);
  EXPECT_EQ(at_.sink.Lines().back()["level"], "warn");
}

}  // namespace
}  // namespace countersign::otp::providers
