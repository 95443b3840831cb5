// Help, exit codes and wrong input of every command, without any server.
#include "tools/countersignctl/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/tools/countersignctl/ctl_run.h"

namespace countersign::ctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Words = std::vector<std::string>;

Words Split(std::string_view text) {
  Words words;
  std::istringstream stream{std::string(text)};
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

TEST(CommandTest, TheOverviewNamesEveryCommand) {
  const auto told = RunCtl({"--help"});
  EXPECT_EQ(told.exit, 0);
  for (const auto& command : AllCommands()) {
    EXPECT_THAT(told.out, AllOf(HasSubstr(std::string(command.words)),
                                HasSubstr(std::string(command.summary))));
  }
  EXPECT_EQ(RunCtl({"help"}).out, told.out);
  EXPECT_EQ(RunCtl({"-h"}).out, told.out);
}

TEST(CommandTest, WithoutWordsTheOverviewIsAnError) {
  const auto told = RunCtl({});
  EXPECT_EQ(told.exit, kUsage);
  EXPECT_THAT(told.out, IsEmpty());
  EXPECT_THAT(told.err, HasSubstr("usage:"));
}

TEST(CommandTest, EveryCommandHasHelpThatNamesEachOfItsOptions) {
  for (const auto& command : AllCommands()) {
    auto words = Split(command.words);
    words.emplace_back("--help");
    const auto told = RunCtl(words);
    EXPECT_EQ(told.exit, 0) << command.words;
    EXPECT_THAT(told.err, IsEmpty());
    EXPECT_THAT(told.out, HasSubstr("usage: countersignctl " + std::string(command.words)));
    for (const auto& option : command.options) {
      EXPECT_THAT(told.out, HasSubstr("--" + std::string(option.name))) << command.words;
      EXPECT_FALSE(option.help.empty()) << command.words << " --" << option.name;
    }
  }
}

TEST(CommandTest, AGroupWithoutACommandListsItsCommands) {
  for (const char* group : {"migrate", "topics", "keys", "outbox", "events", "relay"}) {
    const auto help = RunCtl({group, "--help"});
    EXPECT_EQ(help.exit, 0) << help.err;
    EXPECT_THAT(help.out, AllOf(HasSubstr(group), Not(HasSubstr("usage: countersignctl call"))));
    const auto alone = RunCtl({group});
    EXPECT_EQ(alone.exit, kUsage);
    EXPECT_THAT(alone.err, HasSubstr(std::string(group) + " "));
  }
  EXPECT_THAT(RunCtl({"migrate", "--help"}).out, HasSubstr("migrate status"));
}

TEST(CommandTest, TellsItsVersion) {
  const auto told = RunCtl({"--version"});
  EXPECT_EQ(told.exit, 0);
  EXPECT_THAT(told.out,
              testing::MatchesRegex("countersignctl [0-9]+\\.[0-9]+\\.[0-9]+.* \\(.+\\)\n"));
}

TEST(CommandTest, WrongUsageExitsWith64AndPrintsNothingElse) {
  const std::vector<Words> cases = {
      {"nonsense"},
      {"migrate", "sideways"},
      {"migrate", "up", "extra"},
      {"migrate", "up", "--nonsense"},
      {"migrate", "up", "--dir"},
      {"migrate", "up"},  // no database
      {"migrate", "down", "--steps", "0", "--database-url", "host=127.0.0.1"},
      {"migrate", "down", "--steps", "many", "--database-url", "host=127.0.0.1"},
      {"topics", "apply"},  // no brokers
      {"topics", "apply", "--replication-factor", "x", "--brokers", "127.0.0.1:1"},
      {"events", "tail"},
      {"events", "tail", "--max", "-1", "--brokers", "127.0.0.1:1"},
      {"outbox", "status"},
      {"relay", "replay", "--database-url", "host=127.0.0.1", "--brokers", "127.0.0.1:1"},
      {"relay", "replay", "--ids", "5", "--brokers", "127.0.0.1:1"},
      {"relay", "replay", "--ids", "5-4", "--brokers", "127.0.0.1:1"},
      {"relay", "replay", "--ids", "5-x", "--brokers", "127.0.0.1:1"},
      {"relay", "replay", "--since", "yesterday", "--brokers", "127.0.0.1:1"},
      {"relay", "replay", "--since", "1m", "--until", "2m", "--brokers", "127.0.0.1:1"},
      {"relay", "replay", "--ids", "1-2", "--brokers", "127.0.0.1:1"},  // no database
      {"relay", "replay", "--ids", "1-2", "--database-url", "host=127.0.0.1"},
      {"relay", "verify", "--brokers", "127.0.0.1:1"},
      {"relay", "verify", "--database-url", "host=127.0.0.1"},
      {"relay", "verify", "--tables", ",", "--brokers", "127.0.0.1:1"},
      {"relay", "verify", "--since", "5s", "--brokers", "127.0.0.1:1"},
      {"relay", "status"},
      {"relay", "forget", "--slot", "x"},  // nobody to ask
      {"relay", "forget", "--yes", "--database-url", "host=127.0.0.1"},
      {"log", "drop", "--database-url", "host=127.0.0.1"},
      {"log", "drop", "--keep", "90"},
      {"log", "drop", "--keep", "23h"},
      {"log", "drop", "--keep", "40000d"},
      {"log", "drop", "--keep", "ninety days"},
      {"log", "drop", "--keep", "90d"},  // no database
      {"log", "drop", "--keep", "90d", "--schemas", "auth,billing"},
      {"log", "drop", "--keep", "90d", "--schemas", "auth,"},
      {"log", "make"},
      {"log", "make", "--days", "61", "--database-url", "host=127.0.0.1"},
      {"keys", "rotate"},
      {"call"},
      {"call", "NoSuchMethod"},
      {"call", "LoginWithPhoneNumber", "{no json"},
      {"call", "LoginWithPhoneNumber", "{\"noSuchField\": 1}"},
      {"call", "LoginWithPhoneNumber", "{}"},  // no address
      {"call", "LoginWithPhoneNumber", "{}", "extra"},
      {"call", "LoginWithPhoneNumber", "{}", "--auth", "127.0.0.1:1", "--timeout-ms", "0"},
  };
  for (const auto& words : cases) {
    const auto told = RunCtl(words);
    EXPECT_EQ(told.exit, kUsage) << testing::PrintToString(words) << told.err;
    EXPECT_THAT(told.out, IsEmpty()) << testing::PrintToString(words);
    EXPECT_THAT(told.err, HasSubstr("countersignctl: "));
  }
}

TEST(CommandTest, AnUnknownCommandIsNamedWhole) {
  EXPECT_THAT(RunCtl({"migrate", "sideways"}).err, HasSubstr("migrate sideways"));
  EXPECT_THAT(RunCtl({"nonsense"}).err, HasSubstr("nonsense"));
}

TEST(CommandTest, AServerThatIsAwayExitsWith69) {
  const std::string nowhere = "host=127.0.0.1 port=1 dbname=x password=hunter2";
  for (const Words& words :
       {Words{"migrate", "status"}, Words{"migrate", "up"}, Words{"outbox", "status"},
        Words{"relay", "status"}, Words{"relay", "forget", "--slot", "x", "--yes"},
        Words{"log", "drop", "--keep", "90d"}, Words{"log", "make"}}) {
    const auto told = RunCtl(words, {{"DATABASE_URL", nowhere}});
    EXPECT_EQ(told.exit, kUnavailable) << told.err;
    EXPECT_THAT(told.err, Not(HasSubstr("hunter2")));
  }
  const auto call = RunCtl({"call", "GetJwks"}, {{"AUTH_GRPC", "127.0.0.1:1"}});
  EXPECT_EQ(call.exit, kUnavailable) << call.err;
}

TEST(CommandTest, NET1_PlaintextOffLoopbackIsRefused) {
  const auto database = RunCtl({"migrate", "status", "--database-url", "host=db.example"});
  EXPECT_EQ(database.exit, kFailed);
  EXPECT_THAT(database.err, HasSubstr("verify-full"));
  const auto kafka = RunCtl({"topics", "diff", "--brokers", "kafka.example:9092"});
  EXPECT_EQ(kafka.exit, kFailed);
  EXPECT_THAT(kafka.err, HasSubstr("plaintext"));
}

TEST(CommandTest, AMalformedConnectionStringIsToldWithoutItsPassword) {
  const auto told = RunCtl({"migrate", "status", "--database-url", "password=hunter2 nonsense"});
  EXPECT_EQ(told.exit, kFailed);
  EXPECT_THAT(told.err, AllOf(HasSubstr("connection string"), Not(HasSubstr("hunter2"))));
}

TEST(CommandTest, AMissingFileIsNamed) {
  EXPECT_THAT(
      RunCtl({"migrate", "status", "--dir", "/nowhere", "--database-url", "host=127.0.0.1"}).err,
      HasSubstr("/nowhere"));
  EXPECT_THAT(RunCtl({"topics", "diff", "--file", "/nowhere.yaml", "--brokers", "127.0.0.1:1"}).err,
              HasSubstr("/nowhere.yaml"));
  EXPECT_THAT(RunCtl({"call", "GetJwks", "--auth", "127.0.0.1:1", "--token-file", "/nowhere"}).err,
              HasSubstr("/nowhere"));
}

}  // namespace
}  // namespace countersign::ctl
