#include "tools/countersignctl/time_argument.h"

#include <gtest/gtest.h>

namespace countersign::ctl {
namespace {

using namespace std::chrono_literals;

constexpr Instant kNow = Instant{std::chrono::sys_days{std::chrono::year{2026} / 3 / 1}} + 1h;
const std::vector<Option> kOptions = {{"since", "TIME", "from"}};

std::optional<Instant> Parse(const std::vector<std::string>& words) {
  const Arguments arguments(kOptions, words, [](const std::string&) { return std::nullopt; });
  return TimeOption(arguments, "since", kNow);
}

TEST(TimeArgumentTest, ReadsRfc3339AndDurationsBeforeNow) {
  EXPECT_EQ(Parse({"--since", "2026-03-01T00:30:00Z"}), kNow - 30min);
  EXPECT_EQ(Parse({"--since", "2026-03-01T00:59:59.5Z"}), kNow - 500ms);
  EXPECT_EQ(Parse({"--since", "2026-03-01T00:59:59.999999Z"}), kNow - 1us);
  EXPECT_EQ(Parse({"--since", "15m"}), kNow - 15min);
  EXPECT_EQ(Parse({}), std::nullopt);
}

TEST(TimeArgumentTest, RefusesWhatIsNoTime) {
  for (const char* text :
       {"yesterday", "15", "2026-03-01", "2026-03-01T00:30:00", "2026-03-01T00:30:00+01:00",
        "2026-02-30T00:00:00Z", "2026-03-01T25:00:00Z", "2026-03-01T00:60:00Z",
        "2026-03-01 00:30:00Z", "2026-03-01T00:30:00.1234567Z", "Z", "T", "-infinity"}) {
    EXPECT_THROW(static_cast<void>(Parse({"--since", text})), UsageFault) << text;
  }
}

TEST(TimeArgumentTest, ReadsWhatItWrites) {
  EXPECT_EQ(ParseRfc3339(ToRfc3339(kNow + 123456us)), kNow + 123456us);
}

}  // namespace
}  // namespace countersign::ctl
