#include "libs/pg/conninfo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <stdexcept>

namespace countersign::pg {
namespace {

using testing::HasSubstr;
using testing::Not;

// Sets a variable of the environment for the length of a test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST(ConninfoTest, DB4_LimitsTravelWithTheConnectionRequest) {
  const auto full = FullConninfo({.conninfo = Secret<std::string>("host=db options='-c x.y=1'"),
                                  .lock_timeout = std::chrono::milliseconds(70),
                                  .statement_timeout = std::chrono::milliseconds(1500)})
                        .Reveal();
  EXPECT_THAT(full, HasSubstr("-c x.y=1 -c lock_timeout=70 -c statement_timeout=1500"));
  EXPECT_THAT(full, HasSubstr("client_encoding='UTF8'"));
}

TEST(ConninfoTest, KeepsWhatTheConnectionStringSaysItself) {
  const auto full =
      FullConninfo({.conninfo = Secret<std::string>("application_name=mine connect_timeout=7")})
          .Reveal();
  EXPECT_THAT(full, HasSubstr("application_name='mine'"));
  EXPECT_THAT(full, HasSubstr("connect_timeout='7'"));
}

TEST(ConninfoTest, QuotesWhatCouldBreakOut) {
  const auto full = FullConninfo({.conninfo = Secret<std::string>("host=db"),
                                  .password = Secret<std::string>("it's \\ host=evil")})
                        .Reveal();
  EXPECT_THAT(full, HasSubstr("password='it\\'s \\\\ host=evil'"));
  EXPECT_EQ(WithKeyword(full, "host", "db"), full);
}

TEST(ConninfoTest, AMalformedOneIsToldWithoutQuotingIt) {
  try {
    static_cast<void>(FullConninfo({.conninfo = Secret<std::string>("password=hunter2 nonsense")}));
    FAIL() << "taken for a connection string";
  } catch (const std::invalid_argument& fault) {
    EXPECT_THAT(fault.what(), Not(HasSubstr("hunter2")));
  }
}

TEST(RequireTlsOffLoopbackTest, DB4_PlaintextIsAllowedOnThisMachineOnly) {
  for (const char* here :
       {"", "dbname=x", "host=/run/postgresql", "host=localhost", "host=127.0.0.1", "host=::1",
        "postgresql://u:p@127.0.0.1:5432/x", "postgresql:///x", "host=127.0.0.1,localhost",
        "host=db hostaddr=127.0.0.1"}) {
    EXPECT_EQ(RequireTlsOffLoopback(here), "") << here;
  }
  for (const char* there :
       {"host=db", "host=10.0.0.1", "host=127.0.0.1,db", "host=db,127.0.0.1",
        "host=127.0.0.1.evil.example", "host=localhost.evil.example", "host=db sslmode=require",
        "host=db sslmode=verify-ca", "host=localhost hostaddr=10.0.0.1",
        "postgresql://u:p@db.example/x", "postgresql://127.0.0.1,db.example/x"}) {
    EXPECT_NE(RequireTlsOffLoopback(there), "") << there;
  }
  EXPECT_EQ(RequireTlsOffLoopback("host=db sslmode=verify-full"), "");
}

// libpq takes the host of a position whose address is empty.
TEST(RequireTlsOffLoopbackTest, DB4_AnEmptyAddressInAListHidesNoHost) {
  EXPECT_NE(RequireTlsOffLoopback("host=127.0.0.1,db.example hostaddr=127.0.0.1,"), "");
  EXPECT_EQ(RequireTlsOffLoopback("host=db.example,localhost hostaddr=127.0.0.1,"), "");
}

TEST(RequireTlsOffLoopbackTest, DB4_WhatTheEnvironmentAddsCounts) {
  {
    const Variable host("PGHOST", "db.example");
    EXPECT_NE(RequireTlsOffLoopback("dbname=x"), "");
    EXPECT_EQ(RequireTlsOffLoopback("host=localhost"), "");
    const Variable mode("PGSSLMODE", "verify-full");
    EXPECT_EQ(RequireTlsOffLoopback("dbname=x"), "");
  }
  const Variable address("PGHOSTADDR", "10.0.0.1");
  EXPECT_NE(RequireTlsOffLoopback("host=localhost"), "");
}

// The host then stands in a file that is read only when the connection is made.
TEST(RequireTlsOffLoopbackTest, DB4_AServiceFileNeedsVerifiedTls) {
  EXPECT_NE(RequireTlsOffLoopback("service=production"), "");
  EXPECT_EQ(RequireTlsOffLoopback("service=production sslmode=verify-full"), "");
  const Variable service("PGSERVICE", "production");
  EXPECT_NE(RequireTlsOffLoopback("dbname=x"), "");
}

TEST(RequireTlsOffLoopbackTest, SaysSoOfAMalformedOne) {
  EXPECT_EQ(RequireTlsOffLoopback("nonsense"), "not a libpq connection string");
}

}  // namespace
}  // namespace countersign::pg
