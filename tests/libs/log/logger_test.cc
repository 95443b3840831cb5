#include "libs/log/logger.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "libs/core/secret.h"
#include "tests/support/log_sink.h"

namespace countersign::log {
namespace {

TEST(Logger, WritesOneJsonLineWithTimeLevelServiceMessageAndFields) {
  const tests::LogSink sink;
  const Logger logger("auth", Level::kInfo, sink.fd());
  logger.Info("ready", {{"address", "127.0.0.1:1"}, {"port", 1}, {"tls", false}, {"ms", 0.5}});
  const auto lines = sink.Lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["level"], "info");
  EXPECT_EQ(lines[0]["service"], "auth");
  EXPECT_EQ(lines[0]["msg"], "ready");
  EXPECT_EQ(lines[0]["address"], "127.0.0.1:1");
  EXPECT_EQ(lines[0]["port"], 1);
  EXPECT_EQ(lines[0]["tls"], false);
  EXPECT_EQ(lines[0]["ms"], 0.5);
  EXPECT_EQ(lines[0]["ts"].get<std::string>().size(), 27U);
}

TEST(Logger, LeavesOutWhatIsBelowItsLevel) {
  const tests::LogSink sink;
  const Logger logger("auth", Level::kWarn, sink.fd());
  logger.Debug("no");
  logger.Info("no");
  logger.Warn("yes");
  logger.Error("yes");
  EXPECT_EQ(sink.Lines().size(), 2U);
}

TEST(Logger, LOG1_NoTextForgesALineAFieldOrATerminalCommand) {
  const tests::LogSink sink;
  const Logger logger("auth", Level::kInfo, sink.fd());
  using std::string_literals::operator""s;  // keeps the NUL
  const std::string evil = "x\"}\n{\"level\":\"info\"\r\x1b[2J\x7f\xc2\x9b\0 \\"s;
  logger.Info(evil, {{"agent", evil}, {evil, 1}});
  const std::string text = sink.Text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  for (const char forbidden : {'\r', '\x1b', '\x7f', '\0'}) {
    EXPECT_EQ(text.find(forbidden), std::string::npos);
  }
  EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos);
  EXPECT_EQ(sink.Lines()[0]["agent"], evil);
  EXPECT_EQ(sink.Lines()[0].size(), 6U);
}

TEST(Logger, EscapesBrokenUtf8SoThatTheLineStaysJson) {
  const tests::LogSink sink;
  const Logger logger("auth", Level::kInfo, sink.fd());
  logger.Info("é€𝄞", {{"broken", "a\xff\xc3(\xe2\x82"}});
  EXPECT_EQ(sink.Lines()[0]["msg"], "é€𝄞");
  EXPECT_EQ(sink.Lines()[0]["broken"], "aÿÃ(â\u0082");
}

TEST(Logger, CutsLongValuesBetweenCharacters) {
  const tests::LogSink sink;
  const Logger logger("auth", Level::kInfo, sink.fd());
  logger.Info("cut", {{"ascii", std::string(5000, 'a')}, {"wide", "a" + [] {
                                                            std::string euros;
                                                            for (int i = 0; i < 1000; ++i)
                                                              euros += "€";
                                                            return euros;
                                                          }()}});
  const auto lines = sink.Lines();
  EXPECT_EQ(lines[0]["ascii"], std::string(1024, 'a') + "…");
  EXPECT_TRUE(lines[0]["wide"].get<std::string>().ends_with("€…"));
}

TEST(Logger, KeepsLinesWholeUnderManyThreads) {
  const tests::LogSink sink;
  const Logger logger("auth", Level::kInfo, sink.fd());
  {
    constexpr int kThreads = 8;
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&] {
        for (int line = 0; line < 200; ++line) logger.Info("x", {{"pad", std::string(500, 'p')}});
      });
    }
  }
  EXPECT_EQ(sink.Lines().size(), 1600U);
}

TEST(Logger, I9_ASecretIsNoField) {
  static_assert(!std::is_constructible_v<Field, std::string_view, Secret<std::string>>);
  static_assert(std::is_constructible_v<Field, std::string_view, std::string>);
}

}  // namespace
}  // namespace countersign::log
