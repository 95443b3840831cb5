#include <fmt/ostream.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "libs/core/clock.h"
#include "tools/countersignctl/begin_message.h"
#include "tools/countersignctl/command.h"
#include "tools/countersignctl/database.h"
#include "tools/countersignctl/metrics_page.h"
#include "tools/countersignctl/slot_status.h"
#include "tools/countersignctl/sql/queries.h"

namespace countersign::ctl {
namespace {

// In words for the operator; empty: nothing is wrong.
std::string Trouble(const SlotStatus& status) {
  if (!status.exists) return "there is no slot: the relay has never run on this database";
  if (const auto wal = status.WalTrouble(); !wal.empty()) return wal;
  if (!status.active) return "no relay is connected";
  return "";
}

// An idle slot is asked itself; while a relay has it, only the relay knows.
std::optional<double> LagSeconds(pg::Connection& connection, const Arguments& arguments,
                                 const SlotStatus& status) {
  if (status.active) {
    const auto address = arguments.Text("relay-metrics");
    return address.empty() ? std::nullopt : ReadMetric(address, "relay_lag_seconds");
  }
  if (status.wal_status == "lost") return std::nullopt;
  try {
    const auto rows =
        connection.Execute(sql::kPeekSlot, arguments.Text("slot"), arguments.Text("publications"));
    if (rows.empty()) return 0.0;
    const auto committed = CommitTime(rows[0].Get<Bytes>("data"));
    if (!committed) return std::nullopt;
    const auto age = SystemClock().Now() - *committed;
    return std::chrono::duration<double>(std::max(age, age.zero())).count();
  } catch (const pg::Refused&) {  // a relay has just come, or this role may not look
    return std::nullopt;
  }
}

int PrintStatus(const Arguments& arguments, const Streams& streams) {
  auto connection = ConnectDatabase(arguments);
  const SlotStatus status = ReadSlotStatus(connection, arguments.Text("slot"));
  // Empty: it cannot be told.
  const auto lag_seconds = status.exists ? LagSeconds(connection, arguments, status) : std::nullopt;
  const auto trouble = Trouble(status);
  if (arguments.Flag("json")) {
    nlohmann::json json = {{"slot", arguments.Text("slot")},
                           {"exists", status.exists},
                           {"active", status.active},
                           {"wal_status", status.wal_status},
                           {"confirmed_lsn", status.confirmed},
                           {"lag_bytes", status.lag_bytes},
                           {"lag_seconds", nullptr},
                           {"retained_bytes", status.retained_bytes},
                           {"trouble", trouble}};
    if (lag_seconds) json["lag_seconds"] = *lag_seconds;
    fmt::print(streams.out, "{}\n", json.dump(2));
  } else if (status.exists) {
    const std::string seconds =
        lag_seconds ? fmt::format("{:.3f} s", *lag_seconds) : "unknown (the relay's metrics tell)";
    fmt::print(streams.out,
               "slot       {}\nrelay      {}\nlag        {}\nlag        {} bytes of WAL\n"
               "retained   {} bytes of WAL\nwal status {}\nconfirmed  {}\n",
               arguments.Text("slot"), status.active ? "connected" : "not connected", seconds,
               status.lag_bytes, status.retained_bytes, status.wal_status, status.confirmed);
  }
  if (trouble.empty()) return kOk;
  if (!arguments.Flag("json")) fmt::print(streams.out, "trouble    {}\n", trouble);
  return kDiffers;
}

}  // namespace

std::vector<Command> OutboxCommands() {
  return {
      {.words = "outbox status",
       .positionals = "",
       .summary = "Show how far the relay is behind; exit 3 if something is wrong with its slot",
       .details = "Seconds are the age of the oldest committed event that is not in Kafka. "
                  "While a relay is connected\nthey come from its metrics, else from the slot.",
       .options = {kDatabase,
                   {"relay-metrics", "HOST:PORT", "metrics of the relay", "", "RELAY_METRICS"},
                   {"slot", "NAME", "replication slot", "countersign"},
                   {"publications", "A,B", "its publications", "countersign_auth,countersign_otp"},
                   kJson},
       .run = PrintStatus}};
}

}  // namespace countersign::ctl
