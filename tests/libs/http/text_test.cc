#include <gtest/gtest.h>

#include "libs/http/retry_after.h"
#include "libs/http/url.h"

namespace countersign::http {
namespace {

using namespace std::chrono_literals;

TEST(FormEncode, EscapesWhatWouldChangeTheForm) {
  EXPECT_EQ(FormEncode({{"To", "+49 1&2=3"}, {"Body", "größe~-._"}}),
            "To=%2B49%201%262%3D3&Body=gr%C3%B6%C3%9Fe~-._");
  EXPECT_EQ(FormEncode({}), "");
}

TEST(ParseBaseUrl, TakesAbsoluteHttpAddresses) {
  const auto url = ParseBaseUrl("https://Verify.Twilio.com:8443/base");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->host, "verify.twilio.com");
  EXPECT_EQ(url->port, "8443");
  EXPECT_EQ(url->path, "/base");
  EXPECT_EQ(ParseBaseUrl("http://[::1]:80")->host, "::1");
}

TEST(ParseBaseUrl, RefusesEverythingElse) {
  for (const auto* text : {"", "verify.twilio.com", "ftp://host", "https://user:secret@host",
                           "https://host/?q=1", "https://host/#x", "https://", "file:///etc"}) {
    EXPECT_FALSE(ParseBaseUrl(text)) << text;
  }
}

TEST(IsLoopback, KnowsThisMachineFromOthers) {
  for (const auto* host : {"127.0.0.1", "127.9.9.9", "::1", "localhost"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
  }
  for (const auto* host :
       {"128.0.0.1", "10.0.0.1", "::2", "localhost.example.com", "127.0.0.1.nip"}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

TEST(ParseRetryAfter, ReadsSecondsAndDatesAndClampsThem) {
  const Instant now{1'700'000'000s};  // Tue, 14 Nov 2023 22:13:20 GMT
  EXPECT_EQ(ParseRetryAfter("0", now, 60s), 0ms);
  EXPECT_EQ(ParseRetryAfter("30", now, 60s), 30s);
  EXPECT_EQ(ParseRetryAfter("61", now, 60s), 60s);
  EXPECT_EQ(ParseRetryAfter("99999999999999999999999", now, 60s), 60s);
  EXPECT_EQ(ParseRetryAfter("Tue, 14 Nov 2023 22:13:30 GMT", now, 60s), 10s);
  EXPECT_EQ(ParseRetryAfter("Tue, 14 Nov 2023 21:00:00 GMT", now, 60s), 0ms);
  EXPECT_EQ(ParseRetryAfter("Wed, 14 Nov 2035 21:00:00 GMT", now, 60s), 60s);
}

TEST(ParseRetryAfter, IgnoresWhatItCannotRead) {
  const Instant now{1'700'000'000s};
  for (const auto* text : {"", "soon", "-1", "1.5", "Tue, 14 Nov 2023 22:13:30", "string"}) {
    EXPECT_FALSE(ParseRetryAfter(text, now, 60s)) << text;
  }
}

}  // namespace
}  // namespace countersign::http
