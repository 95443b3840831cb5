#include "libs/metrics/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <stdexcept>

namespace countersign::metrics {
namespace {

using ::testing::HasSubstr;

TEST(Registry, GivesTheSameCounterForTheSameNameAndLabels) {
  Registry registry;
  registry.AddCounter("calls_total", "Calls.", {{"code", "OK"}}).Increment();
  registry.AddCounter("calls_total", "Calls.", {{"code", "OK"}}).Increment(2);
  registry.AddCounter("calls_total", "Calls.", {{"code", "INTERNAL"}}).Increment();
  EXPECT_THAT(registry.Text(), HasSubstr("calls_total{code=\"OK\"} 3"));
  EXPECT_THAT(registry.Text(), HasSubstr("calls_total{code=\"INTERNAL\"} 1"));
}

TEST(Registry, ShowsGaugesAndHistograms) {
  Registry registry;
  const Gauge depth = registry.AddGauge("depth", "Depth.");
  depth.Set(5);
  depth.Add(-2);
  registry.AddHistogram("seconds", "Time.").Observe(0.003);
  EXPECT_THAT(registry.Text(), HasSubstr("depth 3"));
  EXPECT_THAT(registry.Text(), HasSubstr("seconds_bucket{le=\"0.005\"} 1"));
}

TEST(Registry, AsksAGaugeFunctionAtEveryScrape) {
  Registry registry;
  double length = 1;
  registry.AddGaugeFunction("queue_length", "Queue.", {{"queue", "a"}}, [&] { return length; });
  registry.AddGaugeFunction("queue_length", "Queue.", {{"queue", "b"}}, [] { return 7; });
  EXPECT_THAT(registry.Text(), HasSubstr("queue_length{queue=\"a\"} 1"));
  length = 2;
  EXPECT_THAT(registry.Text(), HasSubstr("queue_length{queue=\"a\"} 2"));
  EXPECT_THAT(registry.Text(), HasSubstr("queue_length{queue=\"b\"} 7"));
}

TEST(Registry, TellsMemoryStartTimeAndBuild) {
  const Registry registry;
  const std::string text = registry.Text();
  EXPECT_THAT(text, HasSubstr("countersign_build_info{commit=\""));
  const auto value = [&](const std::string& name) {
    return std::stod(text.substr(text.find("\n" + name + " ") + name.size() + 2));
  };
  EXPECT_GT(value("process_resident_memory_bytes"), 1e6);
  EXPECT_NEAR(value("process_start_time_seconds"), static_cast<double>(std::time(nullptr)), 60);
  EXPECT_GE(value("process_open_fds"), 3);
}

TEST(Registry, RefusesNamesPrometheusDoesNotKnow) {
  Registry registry;
  EXPECT_THROW((void)registry.AddCounter("no-dashes", ""), std::invalid_argument);
}

}  // namespace
}  // namespace countersign::metrics
