#include "libs/pg/connection.h"

#include <fmt/format.h>
#include <poll.h>

#include <chrono>
#include <functional>
#include <optional>
#include <pqxx/pqxx>
#include <set>
#include <string>
#include <vector>

#include "libs/core/invariant.h"

namespace countersign::pg {
namespace {

[[noreturn]] void ThrowLost(std::string_view query, Unavailable::Outcome outcome) {
  throw Unavailable(fmt::format("{}: the connection to the database is lost", query), "08006",
                    outcome);
}

#if PQXX_VERSION_MAJOR >= 7
pqxx::result ExecutePrepared(pqxx::nontransaction& work, const std::string& name,
                             std::span<const Param> params) {
  pqxx::params values;
  values.reserve(params.size());
  for (const Param& param : params) {
    if (param.data() == nullptr) {
      values.append();
    } else if (param.binary()) {
      values.append(pqxx::binary_cast(param.data(), param.size()));
    } else {
      values.append(pqxx::zview(param.data(), param.size()));
    }
  }
#if PQXX_VERSION_MAJOR > 7 || PQXX_VERSION_MINOR >= 10
  return work.exec(pqxx::prepped(name), values);
#else
  return work.exec_prepared(name, values);
#endif
}
void Prepare(pqxx::connection& connection, const std::string& name, const std::string& sql) {
  connection.prepare(name, sql);
}
constexpr auto kTerse = pqxx::error_verbosity::terse;
#else
pqxx::result ExecutePrepared(pqxx::nontransaction& work, const std::string& name,
                             std::span<const Param> params) {
  // pqxx 6 knows the format of a parameter by its type only, so each run of one format is a list.
  std::vector<const char*> before;
  std::vector<pqxx::binarystring> arrays;
  std::vector<const char*> after;
  for (const Param& param : params) {
    if (param.binary()) {
      Invariant(after.empty(), "the arrays of a statement stand together");
      arrays.emplace_back(param.data(), param.size());
    } else {
      (arrays.empty() ? before : after).push_back(param.data());
    }
  }
  return work.exec_prepared(name, pqxx::prepare::make_dynamic_params(before),
                            pqxx::prepare::make_dynamic_params(arrays),
                            pqxx::prepare::make_dynamic_params(after));
}
void Prepare(pqxx::connection& connection, const std::string& name, const std::string& sql) {
  connection.prepare(name, sql);
  connection.prepare_now(name);  // or it is sent with the first use, and a loss there is in doubt
}
constexpr auto kTerse = pqxx::connection_base::terse;
#endif

// Quiet: what the server notices belongs into its own log.
class NoNotices final : public pqxx::errorhandler {
 public:
  using pqxx::errorhandler::errorhandler;
  bool operator()(const char[]) noexcept override { return false; }
};

// pqxx 6 keeps it in every error but this one.
std::string SqlstateOf(const pqxx::sql_error& fault) {
  const bool denied = dynamic_cast<const pqxx::insufficient_privilege*>(&fault) != nullptr;
  return denied ? "42501" : fault.sqlstate();
}

}  // namespace

class Connection::Session {
 public:
  Session(const ConnectionSettings& settings, const std::string& conninfo)
      : connection_(conninfo),
        quiet_(connection_),
        plan_life_(settings.finds_by_key ? std::optional(settings.plan_life) : std::nullopt) {
    connection_.set_verbosity(kTerse);  // details quote values
  }

  pqxx::result Run(const Query& query, std::span<const Param> params) {
    const std::string& name = Prepared(query);
    RenewPlans();
    return Guarded(query.name, Unavailable::Outcome::kInDoubt, [&] {
      pqxx::nontransaction work(connection_);
      return ExecutePrepared(work, name, params);
    });
  }

  void RunScript(const std::string& sql) {
    Guarded("script", Unavailable::Outcome::kInDoubt, [&] {
      pqxx::nontransaction work(connection_);
      return work.exec(sql);
    });
  }

  [[nodiscard]] bool Usable() const {
    if (lost_ || !connection_.is_open()) return false;
    pollfd socket{connection_.sock(), POLLIN, 0};
    return poll(&socket, 1, 0) == 0;
  }
  [[nodiscard]] int BackendPid() const { return connection_.backendpid(); }

 private:
  // The name under which `query` is known to the server.
  const std::string& Prepared(const Query& query) {
    const auto found = prepared_.find(query.name);
    if (found != prepared_.end()) return *found;
    std::string name(query.name);
    Guarded(query.name, Unavailable::Outcome::kNothingDone, [&] {
      Prepare(connection_, name, std::string(query.sql));
      return pqxx::result();
    });
    return *prepared_.insert(std::move(name)).first;
  }

  // A round trip and two milliseconds of planning, once in the life of a plan.
  void RenewPlans() {
    if (!plan_life_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - plans_renewed_ < *plan_life_) return;
    Guarded("discard_plans", Unavailable::Outcome::kNothingDone, [&] {
      pqxx::nontransaction work(connection_);
      return work.exec("DISCARD PLANS");
    });
    plans_renewed_ = now;
  }

  // Turns what pqxx throws into ours. `outcome` is what a connection lost during `work` means.
  template <typename Work>
  pqxx::result Guarded(std::string_view query, Unavailable::Outcome outcome, Work work) {
    // pqxx 6 would quietly connect anew and lose what belonged to the session.
    if (lost_ || !connection_.is_open()) {
      lost_ = true;
      ThrowLost(query, Unavailable::Outcome::kNothingDone);
    }
    try {
      try {
        return work();
      } catch (const pqxx::sql_error& fault) {
        lost_ = !connection_.is_open();
        ThrowRefusal(query, SqlstateOf(fault), fault.what(), lost_);
      } catch (const pqxx::broken_connection&) {
        ThrowLost(query, outcome);
      } catch (const pqxx::failure& fault) {
        // Among them the errors in doubt and, in pqxx 6, rollbacks that are no sql_error.
        Reclassify(query, fault);
      }
    } catch (const Unavailable& fault) {
      lost_ = true;
      if (outcome == Unavailable::Outcome::kInDoubt) throw;
      throw Unavailable(fault.what(), fault.sqlstate(), outcome);
    }
  }

  [[noreturn]] void Reclassify(std::string_view query, const pqxx::failure& fault) {
    if (dynamic_cast<const pqxx::deadlock_detected*>(&fault) != nullptr) {
      ThrowRefusal(query, "40P01", "deadlock detected", !connection_.is_open());
    }
    if (dynamic_cast<const pqxx::serialization_failure*>(&fault) != nullptr) {
      ThrowRefusal(query, "40001", "could not serialize access", !connection_.is_open());
    }
    const bool in_doubt =
        dynamic_cast<const pqxx::statement_completion_unknown*>(&fault) != nullptr;
    if (dynamic_cast<const pqxx::transaction_rollback*>(&fault) != nullptr && !in_doubt) {
      ThrowRefusal(query, "40000", "rolled back", !connection_.is_open());
    }
    ThrowLost(query, Unavailable::Outcome::kInDoubt);
  }

  pqxx::connection connection_;
  NoNotices quiet_;  // goes before the connection
  std::set<std::string, std::less<>> prepared_;
  const std::optional<std::chrono::milliseconds> plan_life_;  // empty: for ever
  std::chrono::steady_clock::time_point plans_renewed_ = std::chrono::steady_clock::now();
  bool lost_ = false;
};

Connection::Connection(const ConnectionSettings& settings) {
  const auto conninfo = FullConninfo(settings);
  try {
    session_ = std::make_unique<Session>(settings, conninfo.Reveal());
  } catch (const pqxx::failure&) {
    // The text of libpq names host and user, and sometimes more: ours does not repeat it.
    throw Unavailable("cannot connect to the database", "08001",
                      Unavailable::Outcome::kNothingDone);
  }
}

Connection::~Connection() = default;

Rows Connection::Run(const Query& query, std::span<const Param> params) {
  return Rows(session_->Run(query, params));
}

void Connection::ExecuteScript(std::string_view sql) { session_->RunScript(std::string(sql)); }

bool Connection::Usable() const { return session_->Usable(); }

int Connection::BackendPid() const { return session_->BackendPid(); }

}  // namespace countersign::pg
