#include "services/otp/flows/turnstile.h"

#include <gtest/gtest.h>

#include <string>

namespace countersign::otp {
namespace {

TEST(TurnstileOfTwo, LetsTwoInAndTheOthersAsThoseLeaveInTheirOrder) {
  Turnstile turnstile(2);
  std::string in;
  for (const char* name : {"a", "b", "c", "d"}) turnstile.Enter([&in, name] { in += name; });
  EXPECT_EQ(in, "ab");
  turnstile.Leave();
  EXPECT_EQ(in, "abc");
  turnstile.Leave();
  turnstile.Leave();
  EXPECT_EQ(in, "abcd");
  turnstile.Enter([&in] { in += "e"; });
  EXPECT_EQ(in, "abcde");
}

}  // namespace
}  // namespace countersign::otp
