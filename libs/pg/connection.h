#pragma once
#include <array>
#include <memory>
#include <span>
#include <string_view>

#include "libs/pg/conninfo.h"
#include "libs/pg/errors.h"
#include "libs/pg/param.h"
#include "libs/pg/query.h"
#include "libs/pg/rows.h"

namespace countersign::pg {

// One connection to PostgreSQL. Not thread safe. After Unavailable it is of no more use: it never
// reconnects behind its owner's back.
class Connection {
 public:
  // Connects. Throws Unavailable (nothing done), std::invalid_argument for a malformed conninfo.
  explicit Connection(const ConnectionSettings& settings);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs ONE statement. Outside a Transaction it is a transaction of its own, in one round trip
  // (two the first time, when it is prepared). Throws the faults of errors.h.
  template <typename... Values>
  Rows Execute(const Query& query, const Values&... values) {
    const std::array<Param, sizeof...(Values)> params{Param(values)...};
    return Run(query, params);
  }

  // Runs a text of one or more statements, all in one transaction, without parameters. For
  // migrations, tests and our own constants, never for anything with foreign content.
  void ExecuteScript(std::string_view sql);

  // False once the connection is lost, or if the server has said something while nobody asked,
  // which is how a connection that ended while idle looks. Costs one poll(2); ask before a reuse,
  // because what is not sent is not in doubt.
  [[nodiscard]] bool Usable() const;
  [[nodiscard]] int BackendPid() const;

 private:
  Rows Run(const Query& query, std::span<const Param> params);

  class Session;
  std::unique_ptr<Session> session_;
};

}  // namespace countersign::pg
