// How PostgreSQL goes about the hot statements. Plans are made once per connection and kept, so the
// one that counts is the generic one, and it must be good also if it was made on the first day.
#include <future>
#include <regex>

#include "libs/pg/array.h"
#include "services/auth/store/queries.h"
#include "tests/services/auth/flows/flow_test.h"

namespace countersign::auth {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::array kHot = {
    store::kSendCode,    store::kCompleteVerification, store::kRefreshSession,   store::kEndSession,
    store::kReadSession, store::kReadProfile,          store::kReadVerification, store::kFindSent,
    store::kFindSession};

// A database of its own: its tables are filled and analysed.
class PlanTest : public support::PgTest {
 protected:
  void SetUp() override {
    PgTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    database_ =
        std::make_unique<support::Database>(support::ServerConninfo(), support::Schema::kMigrated);
  }
  [[nodiscard]] pg::ConnectionSettings Settings() const {
    return {.conninfo = Secret<std::string>(database_->conninfo()),
            .statement_timeout = std::chrono::seconds(60),
            .finds_by_key = true};
  }
  void Fill(int rows) {
    pg::Connection(Settings())
        .ExecuteScript(
            "INSERT INTO auth.users (id, phone, status) SELECT gen_random_uuid(),"
            "  '+49151' || (30000000 + n), 'active' FROM generate_series(1, " +
            std::to_string(rows) +
            ") n;"
            "INSERT INTO auth.numbers (phone_hash, subject_id) SELECT sha256(phone::bytea), id"
            "  FROM auth.users;"
            "INSERT INTO auth.verifications (id_hash, challenge_id, purpose, phone, phone_hash,"
            "  channel, expires_at) SELECT sha256(id::text::bytea), id, 'login', phone,"
            "  sha256(phone::bytea), 'sms', now() FROM auth.users;"
            "INSERT INTO auth.sessions (id, user_id, idle_expires_at, expires_at)"
            "  SELECT id, id, now(), now() FROM auth.users;");
  }
  void Analyse() {
    pg::Connection(Settings())
        .ExecuteScript("ANALYZE auth.users, auth.numbers, auth.verifications, auth.sessions");
  }

  // The generic plan, as text.
  [[nodiscard]] std::string PlanOf(const pg::Query& query) const {
    pg::Connection connection(Settings());
    connection.ExecuteScript("SET plan_cache_mode = force_generic_plan");
    std::string sql(query.sql);
    connection.ExecuteScript("PREPARE hot AS " + sql);
    std::string nulls;
    for (int i = Parameters(sql); i > 0; --i) nulls += nulls.empty() ? "NULL" : ", NULL";
    const std::string explain = "EXPLAIN EXECUTE hot (" + nulls + ")";
    std::string plan;
    for (const pg::Row line : connection.Execute({"explain", explain}))
      plan += line.Get<std::string>(0) + "\n";
    return plan;
  }
  static void ExpectKeyedAccess(const std::string& name, const std::string& plan) {
    EXPECT_THAT(plan, Not(HasSubstr("Seq Scan"))) << name;
    // Every index is entered at a key, not read from end to end.
    static const std::regex scanned(R"(Index (Only )?Scan using [^\n]*\n([^\n]*))");
    for (std::sregex_iterator scan(plan.begin(), plan.end(), scanned), end; scan != end; ++scan)
      EXPECT_THAT((*scan)[2].str(), HasSubstr("Index Cond")) << name << "\n" << plan;
  }

 private:
  static int Parameters(const std::string& sql) {
    static const std::regex parameter(R"(\$(\d+))");
    int most = 0;
    for (std::sregex_iterator found(sql.begin(), sql.end(), parameter), end; found != end; ++found)
      most = std::max(most, std::stoi((*found)[1]));
    return most;
  }
  std::unique_ptr<support::Database> database_;
};

TEST_F(PlanTest, HotStatementsFindRowsByKeyWithAHundredThousandRowsOfEach) {
  Fill(100'000);
  Analyse();
  for (const pg::Query& query : kHot) ExpectKeyedAccess(std::string(query.name), PlanOf(query));
}

TEST_F(PlanTest, HotStatementsFindRowsByKeyAlsoByAPlanMadeWhileTheTablesWereEmpty) {
  for (const pg::Query& query : kHot) ExpectKeyedAccess(std::string(query.name), PlanOf(query));
}

// Nothing helps a plan made after an ANALYZE of empty tables but to make it again.
TEST_F(PlanTest, APlanMadeForTablesKnownToBeEmptyIsMadeAgainBeforeLong) {
  Analyse();
  pg::ConnectionSettings settings = Settings();
  settings.plan_life = std::chrono::milliseconds(0);
  pg::Connection renewing(settings);
  settings.plan_life = std::chrono::hours(1);
  pg::Connection keeping(settings);
  const auto plan_in_use = [](pg::Connection& connection) {
    std::string plan;
    for (const pg::Row line :
         connection.Execute({"explain_in_use", "EXPLAIN EXECUTE read_session ('{}')"}))
      plan += line.Get<std::string>(0) + "\n";
    return plan;
  };
  for (pg::Connection* connection : {&renewing, &keeping}) {
    for (int i = 0; i < 6; ++i)  // the sixth makes the plan that is kept
      ASSERT_TRUE(connection->Execute(store::kReadSession, pg::Array<Uuid>()).empty());
  }
  Fill(10'000);
  EXPECT_THAT(plan_in_use(keeping), Not(HasSubstr("Index Cond: (id = "))) << "no trap to fall into";
  ExpectKeyedAccess("read_session", plan_in_use(renewing));
}

TEST_F(PlanTest, EveryBatcherAsksForSuchPlans) {
  pg::ConnectionSettings settings = Settings();
  settings.finds_by_key = false;
  pg::Batcher<int, std::string> batcher(
      settings, {.connections = 1},
      {.statement = [](pg::Connection& connection, std::span<const int> batch) {
        static constexpr pg::Query kSetting{"setting", "SELECT current_setting('enable_seqscan')"};
        const auto setting = connection.Execute(kSetting).Only().Get<std::string>(0);
        return std::vector<pg::Outcome<std::string>>(batch.size(), Result<std::string>(setting));
      }});
  std::promise<std::string> answer;
  batcher.Submit("key", 1, std::chrono::steady_clock::now() + std::chrono::seconds(10),
                 [&](const Result<std::string>& setting) {
                   answer.set_value(setting ? *setting : std::string(setting.error().reason->word));
                 });
  EXPECT_EQ(answer.get_future().get(), "off");
  batcher.Stop();
}

}  // namespace
}  // namespace countersign::auth
