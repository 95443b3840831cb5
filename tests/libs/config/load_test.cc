#include "libs/config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/libs/config/scratch.h"

namespace countersign::config {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct Sample {
  std::string listen = "127.0.0.1:1";
  std::string channel = "sms";
  bool reflection = false;
  int workers = 4;
  double ratio = 0.5;
  milliseconds deadline{10'000};
  Size queue{64 * 1024};
  std::vector<std::string> brokers;
  Secret<std::string> password;
  log::Level level = log::Level::kInfo;
  std::string database_url;
};

class Load : public ::testing::Test {
 protected:
  Load() {
    keys_.Text("grpc.listen", sample_.listen, {.help = "Listener."});
    keys_.Text("channel", sample_.channel, {.help = "Channel.", .only = {"sms", "voice"}});
    keys_.Flag("grpc.reflection", sample_.reflection, {.help = "Reflection."});
    keys_.Integer("workers", sample_.workers, {.help = "Workers.", .min = "1", .max = "64"});
    keys_.Number("ratio", sample_.ratio, {.help = "Ratio.", .max = "1"});
    keys_.Duration("deadline", sample_.deadline, {.help = "Deadline.", .min = "1s", .max = "1m"});
    keys_.Bytes("queue", sample_.queue, {.help = "Queue."});
    keys_.List("kafka.brokers", sample_.brokers, {.help = "Brokers."});
    keys_.Hidden("password", sample_.password, {.help = "Password."});
    keys_.Level("log.level", sample_.level, {.help = "Level."});
    keys_.Text("database.url", sample_.database_url, {.help = "Database.", .required = true});
    environment_["AUTH_DATABASE_URL"] = "postgresql:///x";
  }

  std::optional<int> Run(const std::vector<std::string>& arguments = {}) {
    const Program program{.name = "countersign-auth", .purpose = "Signs in.", .env_prefix = "AUTH"};
    out_.str("");
    err_.str("");
    return config::Load(program, keys_, arguments,
                        [&](const std::string& name) -> std::optional<std::string> {
                          const auto found = environment_.find(name);
                          if (found == environment_.end()) return std::nullopt;
                          return found->second;
                        },
                        {out_, err_});
  }
  std::optional<int> RunWith(const std::string& yaml) {
    return Run({"--config", path_ = scratch_.Write("config.yaml", yaml, 0644)});
  }

  Scratch scratch_;
  std::string path_;
  Sample sample_;
  Keys keys_{"AUTH"};
  std::map<std::string, std::string> environment_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(Load, KeepsDefaultsAndLetsTheEnvironmentWinOverTheFile) {
  environment_["AUTH_WORKERS"] = "8";
  EXPECT_EQ(RunWith("grpc:\n  listen: 127.0.0.1:2\nworkers: 6\ndeadline: 30s\n"
                    "kafka.brokers: [a:1, b:2]\nlog.level: debug\nqueue: 1MiB\n"),
            std::nullopt);
  EXPECT_EQ(sample_.listen, "127.0.0.1:2");
  EXPECT_EQ(sample_.workers, 8);
  EXPECT_EQ(sample_.deadline, milliseconds(30'000));
  EXPECT_THAT(sample_.brokers, ElementsAre("a:1", "b:2"));
  EXPECT_EQ(sample_.level, log::Level::kDebug);
  EXPECT_EQ(sample_.queue.bytes, 1U << 20U);
  EXPECT_EQ(sample_.channel, "sms");
  EXPECT_EQ(err_.str(), "");
}

TEST_F(Load, ReportsAllFaultsTogetherWithFileAndLine) {
  environment_.erase("AUTH_DATABASE_URL");
  environment_["AUTH_RATIO"] = "2";
  EXPECT_EQ(RunWith("grpc:\n  listn: x\nworkers: 0\ndeadline: 30\nchannel: fax\npassword: p\n"
                    "grpc.reflection: yes please\nworkers: 5\n"),
            kExitConfig);
  const std::string text = err_.str();
  EXPECT_THAT(text, HasSubstr(path_ + ":2: grpc.listn: no such key"));
  EXPECT_THAT(text, HasSubstr(path_ + ":3: workers: at least 1 is expected"));
  EXPECT_THAT(text, HasSubstr(path_ + ":4: deadline: a whole number with ms, s, m, h or d"));
  EXPECT_THAT(text, HasSubstr(path_ + ":5: channel: one of sms, voice is expected"));
  EXPECT_THAT(text, HasSubstr(path_ + ":6: password: a secret is not kept here"));
  EXPECT_THAT(text, HasSubstr(path_ + ":7: grpc.reflection: true or false is expected"));
  EXPECT_THAT(text, HasSubstr(path_ + ":8: workers: is given twice"));
  EXPECT_THAT(text, HasSubstr("AUTH_RATIO: at most 1 is expected"));
  EXPECT_THAT(text, HasSubstr("database.url: required"));
}

TEST_F(Load, RefusesABoundaryCrossedByOne) {
  environment_["AUTH_WORKERS"] = "64";
  EXPECT_EQ(Run(), std::nullopt);
  environment_["AUTH_WORKERS"] = "65";
  EXPECT_EQ(Run(), kExitConfig);
  environment_["AUTH_WORKERS"] = "6x";
  EXPECT_EQ(Run(), kExitConfig);
}

TEST_F(Load, SaysWhereAFileIsNotYaml) {
  EXPECT_EQ(RunWith("a: [1\nb: 2\n"), kExitConfig);
  EXPECT_THAT(err_.str(), HasSubstr("not YAML"));
  EXPECT_EQ(RunWith("- a\n- b\n"), kExitConfig);
  EXPECT_EQ(Run({"--config", "/nonexistent.yaml"}), kExitConfig);
  EXPECT_THAT(err_.str(), HasSubstr("/nonexistent.yaml: cannot be read"));
}

TEST_F(Load, AnEmptyFileIsAllDefaults) { EXPECT_EQ(RunWith("# nothing\n"), std::nullopt); }

TEST_F(Load, SEC1_ReadsASecretFromAFileAndDropsItsLastNewline) {
  environment_["AUTH_PASSWORD_FILE"] = scratch_.Write("secret", "s3cret\n");
  EXPECT_EQ(Run({"--strict"}), std::nullopt);
  EXPECT_EQ(sample_.password.Reveal(), "s3cret");
  EXPECT_EQ(err_.str(), "");
}

TEST_F(Load, SEC1_RefusesASecretFileThatOthersMayRead) {
  environment_["AUTH_PASSWORD_FILE"] = scratch_.Write("secret", "s3cret", 0644);
  EXPECT_EQ(Run(), kExitConfig);
  EXPECT_THAT(err_.str(), HasSubstr("is open to others"));
  EXPECT_THAT(err_.str(), Not(HasSubstr("s3cret")));
}

TEST_F(Load, SEC1_WarnsOfASecretInTheEnvironmentAndRefusesItWhenStrict) {
  environment_["AUTH_PASSWORD"] = "s3cret";
  EXPECT_EQ(Run(), std::nullopt);
  EXPECT_EQ(sample_.password.Reveal(), "s3cret");
  EXPECT_THAT(err_.str(), HasSubstr("warning: environment: AUTH_PASSWORD"));
  EXPECT_EQ(Run({"--strict"}), kExitConfig);
  EXPECT_THAT(err_.str(), Not(HasSubstr("s3cret")));
}

TEST_F(Load, RefusesASecretGivenTwice) {
  environment_["AUTH_PASSWORD"] = "a";
  environment_["AUTH_PASSWORD_FILE"] = scratch_.Write("secret", "b");
  EXPECT_EQ(Run(), kExitConfig);
}

TEST_F(Load, I9_CheckConfigShowsEverythingButSecrets) {
  environment_["AUTH_PASSWORD_FILE"] = scratch_.Write("secret", "s3cret");
  environment_["AUTH_DEADLINE"] = "20s";
  EXPECT_EQ(Run({"--check-config"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("deadline: 20s\n"));
  EXPECT_THAT(out_.str(), HasSubstr("password: <set>\n"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("s3cret")));
}

TEST_F(Load, HelpListsEveryKeyWithItsEnvironmentNameDefaultAndDescription) {
  EXPECT_EQ(Run({"--help"}), 0);
  for (const Key& key : keys_.all()) {
    EXPECT_THAT(out_.str(), HasSubstr("  " + key.name + " (" + key.env));
    EXPECT_THAT(out_.str(), HasSubstr(key.spec.help));
  }
  EXPECT_THAT(out_.str(), HasSubstr("AUTH_PASSWORD[_FILE]"));
  EXPECT_THAT(out_.str(), HasSubstr("Default: 10s."));
}

TEST_F(Load, PrintsTheKeysForMachines) {
  EXPECT_EQ(Run({"--print-config-keys"}), 0);
  std::istringstream lines(out_.str());
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto parsed = nlohmann::json::parse(line);
    EXPECT_EQ(parsed["key"], keys_.all()[count].name);
    EXPECT_EQ(parsed["env"], keys_.all()[count].env);
  }
  EXPECT_EQ(count, keys_.all().size());
}

TEST_F(Load, PrintsItsVersionAndRefusesUnknownOptions) {
  EXPECT_EQ(Run({"--version"}), 0);
  EXPECT_THAT(out_.str(), StartsWith("countersign-auth 0."));
  EXPECT_EQ(Run({"--verbose"}), 64);
  EXPECT_EQ(Run({"--config"}), 64);
}

TEST_F(Load, RunsChecksOverSeveralValues) {
  keys_.Check([&] { return sample_.workers == 7 ? "seven is not liked" : ""; });
  EXPECT_EQ(Run(), std::nullopt);
  environment_["AUTH_WORKERS"] = "7";
  EXPECT_EQ(Run(), kExitConfig);
  EXPECT_THAT(err_.str(), HasSubstr("seven is not liked"));
}

}  // namespace
}  // namespace countersign::config
