#pragma once
// Reads logs and topics of a live system into a Verdict.
#include <chrono>
#include <memory>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "libs/kafka/settings.h"
#include "libs/pg/connection.h"
#include "services/outbox-relay/parking.h"
#include "tools/countersignctl/outbox_table.h"
#include "tools/countersignctl/ticker.h"
#include "tools/countersignctl/verdict.h"

namespace countersign::kafka {
class Message;
}

namespace countersign::ctl {

// Ctrl-C before there was a verdict.
class Interrupted final : public std::exception {};

struct VerificationSettings {
  kafka::ClientSettings cluster;
  RelayView view;
  std::vector<std::string> tables;
  std::vector<std::string> topics{};  // empty: all that the rows name
  std::optional<Instant> since{};     // empty: from the oldest row on
  Instant until;
  std::chrono::seconds wait{30};  // for the relay to confirm what was read
  std::int64_t most_rows = 0;
};

class Verification {
 public:
  // Progress goes to `news`, a line a second.
  Verification(VerificationSettings settings, pg::Connection& connection, std::ostream& news);

  // Throws Failure, Interrupted, relay::TailFault and the faults of the libraries.
  void Run();

  [[nodiscard]] const Verdict& verdict() const { return verdict_; }
  // What an operator must know to read the verdict.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  void ReadParked();
  [[nodiscard]] bool IsParked(const pg::TableName& table, const relay::OutboxRow& row,
                              std::int64_t id) const;
  void ReadLog(OutboxTable& table);
  [[nodiscard]] RowFilter FilterFor(OutboxTable& table) const;
  // True if Kafka must have every row that was read.
  [[nodiscard]] bool AwaitRelay();
  void ReadTopics();
  [[nodiscard]] std::vector<std::int64_t> Begin(const std::string& topic);
  void AddRecord(const kafka::Message& message);
  // Rows that were committed while we were reading.
  void ReadLateRows(OutboxTable& table);
  void ThrowIfInterrupted() const;

  VerificationSettings settings_;
  pg::Connection& connection_;
  std::ostream& news_;
  std::vector<std::unique_ptr<OutboxTable>> tables_;
  relay::ParkedKeys parked_;
  Verdict verdict_;
  Instant earliest_ = Instant::max();  // of all logs, by the filters used
  std::vector<std::string> notes_;
  Ticker ticker_;
  std::int64_t records_read_ = 0;
};

}  // namespace countersign::ctl
