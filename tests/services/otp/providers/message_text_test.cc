#include "services/otp/providers/message_text.h"

#include <gtest/gtest.h>

namespace countersign::otp::providers {
namespace {

using namespace std::chrono_literals;

std::string Render(const std::string& text, std::chrono::seconds life) {
  return MessageText(text).Render(Secret<std::string>("048291"), life);
}

TEST(MessageText, PutsCodeAndMinutesIn) {
  EXPECT_EQ(Render("Acme: {code}, gültig {minutes} Min. ({minutes})", 300s),
            "Acme: 048291, gültig 5 Min. (5)");
}

TEST(MessageText, RoundsMinutes) {
  EXPECT_EQ(Render("{code} {minutes}", 298s), "048291 5");
  EXPECT_EQ(Render("{code} {minutes}", 100s), "048291 2");
  EXPECT_EQ(Render("{code} {minutes}", 5s), "048291 1");
}

TEST(MessageText, RefusesATemplateThatHidesTheCode) {
  for (const auto* text : {"", "no code", "{code} {code}", "24 h: {code}", "{minutes}: {code}",
                           "{code} {name}", "{code} {", "{code} }", "{code} \xff"}) {
    EXPECT_NE(MessageText::FaultOf(text), "") << text;
  }
  EXPECT_NE(MessageText::FaultOf("{code}" + std::string(1500, 'x')), "");
}

TEST(MessageText, TakesATemplateWithNumbersBehindTheCode) {
  EXPECT_EQ(MessageText::FaultOf("{code} is your code for the next {minutes} min, day 24/7"), "");
}

}  // namespace
}  // namespace countersign::otp::providers
