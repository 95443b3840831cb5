// DB-1: what each service's role may do, read from the catalogue, and nothing beside it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "libs/pg/connection.h"
#include "libs/pg/errors.h"
#include "tests/support/database.h"

namespace countersign {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class GrantsTest : public support::PgTest {
 protected:
  // The first column of every row.
  static std::vector<std::string> Lines(const std::string& sql) {
    pg::Connection db(Settings());
    std::vector<std::string> lines;
    for (const auto row : db.Execute({"lines", sql})) lines.push_back(row.Get<std::string>(0));
    return lines;
  }
  // Everything `role` may do with tables, columns, sequences, functions and schemas of ours,
  // whether it was granted to it, to PUBLIC or to a role it belongs to.
  static std::vector<std::string> RightsOf(const std::string& role) {
    const std::string ours = " n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ";
    return Lines(
        "SELECT p || ' ' || n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON "
        "n.oid = c.relnamespace, unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE','TRUNCATE',"
        "'REFERENCES','TRIGGER']) p WHERE c.relkind IN ('r','p','v','m','f') AND" +
        ours + "AND (has_table_privilege('" + role +
        "', c.oid, p) OR CASE WHEN p IN ('SELECT','INSERT',"
        "'UPDATE','REFERENCES') THEN has_any_column_privilege('" +
        role +
        "', c.oid, p) END) "
        "UNION ALL SELECT p || ' ' || n.nspname || '.' || c.relname FROM pg_class c JOIN "
        "pg_namespace n ON n.oid = c.relnamespace, unnest(ARRAY['USAGE','SELECT','UPDATE']) p "
        "WHERE c.relkind = 'S' AND" +
        ours + "AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege('" + role +
        "', c.oid, p) END "
        "UNION ALL SELECT 'EXECUTE ' || f.oid::regprocedure FROM pg_proc f JOIN pg_namespace n ON "
        "n.oid = f.pronamespace WHERE" +
        ours + "AND has_function_privilege('" + role +
        "', f.oid, 'EXECUTE') "
        "UNION ALL SELECT p || ' SCHEMA ' || n.nspname FROM pg_namespace n, "
        "unnest(ARRAY['USAGE','CREATE']) p WHERE" +
        ours + "AND n.nspname <> 'public' AND has_schema_privilege('" + role + "', n.oid, p)");
  }
  static std::string RefusalOf(pg::Connection& db, const std::string& sql) {
    try {
      db.ExecuteScript(sql);
      return "none";
    } catch (const pg::Refused& fault) {
      return fault.sqlstate();
    }
  }
  static std::vector<std::string> Roles() {
    return {"countersign_auth", "countersign_otp", "countersign_relay"};
  }
};

TEST_F(GrantsTest, DB1_AuthMayDoThisAndNothingElse) {
  EXPECT_THAT(
      RightsOf("countersign_auth"),
      UnorderedElementsAre("USAGE SCHEMA auth", "SELECT auth.event_log", "INSERT auth.event_log",
                           "USAGE auth.event_log_id", "EXECUTE auth.log_make(integer)",
                           "EXECUTE auth.log_days_ahead()", "EXECUTE auth.log_days_kept()",
                           "SELECT auth.users", "INSERT auth.users", "UPDATE auth.users",
                           "SELECT auth.numbers", "INSERT auth.numbers", "UPDATE auth.numbers",
                           "SELECT auth.verifications", "INSERT auth.verifications",
                           "UPDATE auth.verifications", "SELECT auth.sessions",
                           "INSERT auth.sessions", "UPDATE auth.sessions"));
}

TEST_F(GrantsTest, DB1_OtpMayDoThisAndNothingElse) {
  EXPECT_THAT(RightsOf("countersign_otp"),
              UnorderedElementsAre(
                  "USAGE SCHEMA otp", "SELECT otp.event_log", "INSERT otp.event_log",
                  "USAGE otp.event_log_id", "EXECUTE otp.log_make(integer)",
                  "EXECUTE otp.log_days_ahead()", "EXECUTE otp.log_days_kept()",
                  "SELECT otp.subjects", "INSERT otp.subjects", "UPDATE otp.subjects",
                  "SELECT otp.challenges", "INSERT otp.challenges", "UPDATE otp.challenges",
                  "SELECT otp.deliveries", "INSERT otp.deliveries", "UPDATE otp.deliveries"));
}

TEST_F(GrantsTest, DB1_TheRelayMayReadTheTwoLogsParkKeysAndSendACanaryAndNothingElse) {
  EXPECT_THAT(
      RightsOf("countersign_relay"),
      UnorderedElementsAre("USAGE SCHEMA auth", "USAGE SCHEMA otp", "USAGE SCHEMA relay",
                           "SELECT auth.event_log", "SELECT otp.event_log", "SELECT relay.parked",
                           "INSERT relay.parked", "UPDATE relay.parked", "DELETE relay.parked",
                           "INSERT relay.parking_log", "SELECT relay.canary", "INSERT relay.canary",
                           "DELETE relay.canary"));
}

TEST_F(GrantsTest, DB1_NoRoleOfAServiceIsMoreThanALogin) {
  for (const auto& role : Roles()) {
    const std::string replication = role == "countersign_relay" ? "true" : "false";
    EXPECT_THAT(Lines("SELECT concat_ws(' ', rolcanlogin, rolreplication, rolsuper, rolcreaterole, "
                      "rolcreatedb, rolbypassrls) FROM pg_roles WHERE rolname = '" +
                      role + "'"),
                ElementsAre("t " + replication.substr(0, 1) + " f f f f"));
    EXPECT_THAT(Lines("SELECT roleid::regrole::text FROM pg_auth_members WHERE member = '" + role +
                      "'::regrole"),
                IsEmpty());
  }
}

TEST_F(GrantsTest, DB1_NoRoleOfAServiceOwnsAnything) {
  for (const auto& role : Roles()) {
    EXPECT_THAT(
        Lines("SELECT relname::text FROM pg_class WHERE relowner = '" + role +
              "'::regrole UNION ALL SELECT proname::text FROM pg_proc WHERE proowner = '" + role +
              "'::regrole UNION ALL SELECT nspname::text FROM pg_namespace WHERE "
              "nspowner = '" +
              role +
              "'::regrole UNION ALL SELECT datname::text FROM "
              "pg_database WHERE datdba = '" +
              role + "'::regrole"),
        IsEmpty());
  }
}

TEST_F(GrantsTest, DB1_NoRoleOfAServiceMayCreateOutsideItsTemporarySpace) {
  for (const auto& role : Roles()) {
    EXPECT_THAT(Lines("SELECT 'public' WHERE has_schema_privilege('" + role +
                      "', 'public', 'CREATE') UNION ALL SELECT 'database' WHERE "
                      "has_database_privilege('" +
                      role + "', current_database(), 'CREATE')"),
                IsEmpty());
    pg::Connection db(Settings(role));
    EXPECT_EQ(RefusalOf(db, "CREATE TABLE public.mine (x int)"), "42501");
    EXPECT_EQ(RefusalOf(db, "CREATE SCHEMA mine"), "42501");
  }
}

// A role that may run such a function must not be able to slip its own objects under it.
TEST_F(GrantsTest, DB1_FunctionsThatRunAsTheOwnerFixTheirSearchPath) {
  EXPECT_THAT(
      Lines("SELECT f.oid::regprocedure::text FROM pg_proc f JOIN pg_namespace n ON n.oid = "
            "f.pronamespace WHERE n.nspname IN ('auth', 'otp') AND f.prosecdef AND NOT "
            "coalesce(f.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)"),
      IsEmpty());
}

TEST_F(GrantsTest, DB1_AuthAndOtpCannotReadEachOther) {
  pg::Connection auth(Settings("countersign_auth"));
  pg::Connection otp(Settings("countersign_otp"));
  for (const char* table : {"subjects", "challenges", "deliveries", "event_log"}) {
    EXPECT_EQ(RefusalOf(auth, std::string("SELECT * FROM otp.") + table), "42501") << table;
  }
  for (const char* table : {"users", "numbers", "verifications", "sessions", "event_log"}) {
    EXPECT_EQ(RefusalOf(otp, std::string("SELECT * FROM auth.") + table), "42501") << table;
  }
}

TEST_F(GrantsTest, DB1_TheRelayCannotWriteAnEvent) {
  pg::Connection relay(Settings("countersign_relay"));
  for (const char* schema : {"auth", "otp"}) {
    EXPECT_EQ(RefusalOf(relay, std::string("INSERT INTO ") + schema +
                                   ".event_log (event_id, topic, key, type, seq, payload) VALUES "
                                   "(gen_random_uuid(), 't', 'k', 't', 1, '{}')"),
              "42501");
  }
}

TEST_F(GrantsTest, DB1_NoServiceDeletesARow) {
  pg::Connection auth(Settings("countersign_auth"));
  for (const char* table : {"users", "numbers", "verifications", "sessions"}) {
    EXPECT_EQ(RefusalOf(auth, std::string("DELETE FROM auth.") + table), "42501") << table;
    EXPECT_EQ(RefusalOf(auth, std::string("TRUNCATE auth.") + table), "42501") << table;
  }
}

// The passwords of the roles are set by who installs; a migration must not know one.
TEST_F(GrantsTest, DB1_TheCatalogueOfPasswordsIsClosed) {
  for (const auto& role : Roles()) {
    pg::Connection db(Settings(role));
    EXPECT_EQ(RefusalOf(db, "SELECT rolpassword FROM pg_authid"), "42501") << role;
  }
}

}  // namespace
}  // namespace countersign
