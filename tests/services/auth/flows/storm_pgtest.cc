// Everything at once on a few numbers: what holds for each flow alone must hold for all together.
#include <map>
#include <mutex>
#include <random>
#include <regex>
#include <set>

#include "libs/pg/array.h"
#include "tests/services/auth/flows/flow_test.h"

namespace countersign::auth {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kThreads = 16;
constexpr int kNumbers = 10;

// What the threads have got hold of, for each number the newest few.
class Findings {
 public:
  void Add(const std::string& text) {
    const std::lock_guard lock(mutex_);
    texts_.push_back(text);
    if (texts_.size() > kKept) texts_.erase(texts_.begin());
  }
  [[nodiscard]] std::string Any(std::mt19937& random) const {
    const std::lock_guard lock(mutex_);
    return texts_.empty() ? std::string() : texts_[random() % texts_.size()];
  }

 private:
  static constexpr std::size_t kKept = 6;
  mutable std::mutex mutex_;
  std::vector<std::string> texts_;
};

struct Number {
  std::string phone;
  Findings sign_ups;
  Findings log_ins;
  Findings refresh_tokens;
  Findings access_tokens;
};

class Tally {
 public:
  template <typename T>
  void Count(std::string_view call, const Result<T>& result) {
    const std::lock_guard lock(mutex_);
    ++counts_[std::string(call) + " " + WordOf(result)];
    if (!result && (result.error().kind() == ErrorKind::kInternal ||
                    result.error().kind() == ErrorKind::kUnavailable ||
                    result.error().kind() == ErrorKind::kDeadline))
      faults_.push_back(WordOf(result) + ": " + result.error().detail);
  }
  [[nodiscard]] std::vector<std::string> faults() const { return faults_; }
  [[nodiscard]] int Of(const std::string& call) const {
    const auto found = counts_.find(call);
    return found == counts_.end() ? 0 : found->second;
  }
  [[nodiscard]] std::string Text() const {
    std::string text;
    for (const auto& [call, count] : counts_) text += call + " x" + std::to_string(count) + "; ";
    return text;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, int> counts_;
  std::vector<std::string> faults_;
};

class StormTest : public FlowTest {
 protected:
  void SetUp() override {
    FlowTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    // No cooldown, or most calls would only be refused.
    InstallationOptions options;
    options.limit = {.cooldowns = {seconds(0)}, .per_hour = 1'000'000, .per_day = 1'000'000};
    // A deadlock is noticed long before a lock times out.
    pg::ConnectionSettings settings = AsService();
    settings.conninfo =
        Secret<std::string>(pg::WithKeyword(settings.conninfo.Reveal(), "options",
                                            "-c role=countersign_auth -c deadlock_timeout=20ms"));
    for (int i = 0; i < 2; ++i)
      replicas_.push_back(std::make_unique<Installation>(settings, keys(), otp(), options));
    for (Number& number : numbers_) number.phone = NewPhone();
  }

  void Rage(seconds duration) {
    const auto end = std::chrono::steady_clock::now() + duration;
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i)
      threads.emplace_back([this, end, i] {
        std::mt19937 random(static_cast<unsigned>(i));
        while (std::chrono::steady_clock::now() < end)
          Act(*replicas_[random() % replicas_.size()], numbers_[random() % kNumbers], random);
      });
    threads.clear();
    failed_statements_ = 0;
    for (const auto& replica : replicas_) failed_statements_ += replica->failed_statements();
    replicas_.clear();  // with their connections, so that the server's counters are up to date
  }

  void Act(Installation& replica, Number& number, std::mt19937& random) {
    switch (random() % 10) {
      case 0:
      case 1:
        return Keep("SignUp", replica.SignUp({.phone_number = number.phone}), number.sign_ups);
      case 2:
        return Keep("LogIn", replica.LogIn(number.phone), number.log_ins);
      case 3:
        return tally_.Count("Resend", replica.Resend(number.sign_ups.Any(random)));
      case 4:
      case 5: {
        const auto code = random() % 4 == 0 ? kWrongCode : kRightCode;
        return Keep("Verify", replica.Verify(number.sign_ups.Any(random), code), number);
      }
      case 6: {
        const auto code = random() % 4 == 0 ? kWrongCode : kRightCode;
        return Keep("Validate", replica.ValidateLogIn(number.log_ins.Any(random), code), number);
      }
      case 7:
      case 8: {
        const auto refreshed = replica.Refresh(number.refresh_tokens.Any(random));
        tally_.Count("Refresh", refreshed);
        if (refreshed) number.refresh_tokens.Add(refreshed->refresh_token.Reveal());
        return;
      }
      default:
        if (random() % 2 == 0)
          return tally_.Count("LogOut", replica.LogOut(number.refresh_tokens.Any(random)));
        return tally_.Count("Profile", replica.GetProfile(number.access_tokens.Any(random)));
    }
  }
  void Keep(std::string_view call, const Result<StartedVerification>& started, Findings& ids) {
    tally_.Count(call, started);
    if (started) ids.Add(started->verification_id.Reveal());
  }
  void Keep(std::string_view call, const Result<BegunSession>& begun, Number& number) {
    tally_.Count(call, begun);
    if (!begun) return;
    number.refresh_tokens.Add(begun->tokens.refresh_token.Reveal());
    number.access_tokens.Add(begun->tokens.access_token.Reveal());
  }

  [[nodiscard]] std::int64_t Deadlocks() {
    return owner().One<std::int64_t>(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()");
  }
  std::vector<std::unique_ptr<Installation>> replicas_;
  std::array<Number, kNumbers> numbers_;
  Tally tally_;
  int failed_statements_ = 0;
};

// Ids of the log's rows in the order in which their transactions were committed.
class CommitOrder {
 public:
  explicit CommitOrder(Owner& owner) : owner_(owner) {
    owner_.Run("SELECT pg_create_logical_replication_slot('commit_order', 'test_decoding', true)");
  }
  [[nodiscard]] std::vector<std::int64_t> Ids() {
    static const std::regex insert(R"(^table auth\.event_log\S*: INSERT: id\[bigint\]:(\d+))");
    std::vector<std::int64_t> ids;
    const auto changes =
        owner_.Run("SELECT data FROM pg_logical_slot_get_changes('commit_order', NULL, NULL)");
    for (const pg::Row change : changes) {
      const auto data = change.Get<std::string>(0);
      std::smatch match;
      if (std::regex_search(data, match, insert)) ids.push_back(std::stoll(match[1]));
    }
    return ids;
  }
  ~CommitOrder() { owner_.Run("SELECT pg_drop_replication_slot('commit_order')"); }
  CommitOrder(const CommitOrder&) = delete;
  CommitOrder& operator=(const CommitOrder&) = delete;

 private:
  Owner& owner_;
};

TEST_F(StormTest, I2_SixteenThreadsOnTenNumbersNeverDeadlockAndKeepOneOrderPerKey) {
  const auto before = AllRows(owner());
  const std::int64_t last_id = before.empty() ? 0 : before.back().id;
  const std::int64_t deadlocks = Deadlocks();
  CommitOrder commit_order(owner());
  Rage(seconds(3));
  WaitForConnections(1 + Installation::kConnections);

  EXPECT_EQ(tally_.faults(), std::vector<std::string>()) << tally_.Text();
  EXPECT_EQ(failed_statements_, 0);
  EXPECT_EQ(Deadlocks(), deadlocks);
  for (const char* call : {"SignUp OK", "LogIn OK", "Resend OK", "Verify OK", "Validate OK",
                           "Validate CODE_REJECTED", "Refresh OK", "LogOut OK", "Profile OK"})
    EXPECT_GT(tally_.Of(call), 0) << call << " never happened: " << tally_.Text();

  // seq is 1, 2, 3 … per key, in the order of ids and of commits.
  std::map<std::int64_t, LogRow> by_id;
  for (LogRow& row : RowsAfter(owner(), last_id)) by_id.emplace(row.id, std::move(row));
  const auto committed = commit_order.Ids();
  ASSERT_EQ(committed.size(), by_id.size());
  std::map<std::string, std::int64_t> seq_by_id;
  for (const auto& [id, row] : by_id) {
    ASSERT_EQ(row.seq, ++seq_by_id[row.key]) << row.key << ": id order";
    ASSERT_EQ(WhyMalformed(row), "");
  }
  std::map<std::string, std::int64_t> seq_by_commit;
  for (const std::int64_t id : committed) {
    const LogRow& row = by_id.at(id);
    ASSERT_EQ(row.seq, ++seq_by_commit[row.key]) << row.key << ": commit order";
  }
}

TEST_F(StormTest, A13_AfterAStormTheTablesAreWhatTheLogSays) {
  Rage(seconds(1));
  owner().Script("CREATE TEMP TABLE person (LIKE auth.users)");
  owner().Run("INSERT INTO person SELECT * FROM auth.users WHERE phone = ANY ($1::text[])",
              pg::Column(numbers_, &Number::phone));
  owner().Script(
      "CREATE TEMP TABLE event AS SELECT l.*, payload->>'session_id' AS session_id"
      "  FROM auth.event_log l;"
      "CREATE TEMP TABLE session AS SELECT s.* FROM auth.sessions s JOIN person p"
      "  ON p.id = s.user_id;"
      "ANALYZE person; ANALYZE event; ANALYZE session");
  const auto disagreements = [&](const std::string& counted, const std::string& disagree) {
    return owner().One<std::int64_t>("WITH c AS (" + counted + ") SELECT count(*) FROM c WHERE " +
                                     disagree);
  };
  EXPECT_EQ(disagreements("SELECT p.event_seq, count(e.id) AS events, max(e.seq) AS newest"
                          " FROM person p LEFT JOIN event e ON e.key = p.id::text GROUP BY p.id,"
                          " p.event_seq",
                          "event_seq <> events OR event_seq <> newest"),
            0);
  EXPECT_EQ(disagreements("SELECT n.event_seq, count(e.id) AS events, max(e.seq) AS newest"
                          " FROM auth.numbers n LEFT JOIN event e ON e.key = n.subject_id::text"
                          " GROUP BY n.phone_hash, n.event_seq",
                          "event_seq <> events OR event_seq <> newest"),
            0);
  EXPECT_EQ(disagreements("SELECT p.status, count(e.id) FILTER (WHERE e.type = 'user.verified')"
                          " AS verified FROM person p JOIN event e ON e.key = p.id::text"
                          " GROUP BY p.id, p.status",
                          "(status = 'active')::integer <> verified"),
            0);
  EXPECT_EQ(disagreements(
                "SELECT s.refresh_counter, s.revoked_at,"
                " count(e.id) FILTER (WHERE e.type = 'session.logged_in') AS begun,"
                " count(e.id) FILTER (WHERE e.type = 'session.refreshed') AS refreshed,"
                " count(e.id) FILTER (WHERE e.type IN ('session.logged_out', 'session.revoked'))"
                "   AS ended,"
                " max(e.id) FILTER (WHERE e.type IN ('session.logged_out', 'session.revoked'))"
                "   < max(e.id) AS went_on"
                " FROM session s LEFT JOIN event e ON e.session_id = s.id::text"
                " GROUP BY s.id, s.refresh_counter, s.revoked_at",
                "begun <> 1 OR refreshed <> refresh_counter - 1"
                " OR ended <> (revoked_at IS NOT NULL)::integer OR went_on"),
            0);
}

// A redemption holds the user's row and waits for the number's; a sign-up holds the number's.
TEST_F(StormTest, ASignUpOfAKnownNumberDoesNotWaitForWhoeverIsChangingItsUser) {
  const Person person = NewPerson();
  owner().Script("BEGIN");
  owner().Run("UPDATE auth.users SET event_seq = event_seq WHERE id = $1", person.user_id);
  const auto answer = auth().SignUp({.phone_number = person.phone});
  owner().Script("ROLLBACK");
  EXPECT_EQ(WordOf(answer), "OK");
}

}  // namespace
}  // namespace countersign::auth
