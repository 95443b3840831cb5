#pragma once
// Messages of PostgreSQL's logical replication output plugin pgoutput, protocol 1, text values
// (PostgreSQL documentation, "Logical Replication Message Formats"). Whole transactions in commit
// order: Begin, Relations and Inserts, Commit.
#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <variant>
#include <vector>

#include "libs/core/clock.h"
#include "libs/core/lsn.h"

namespace countersign::relay {

// The bytes are not what the protocol allows: a server we do not understand.
class DecodeFault final : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Begin {
  Lsn final_lsn;
  Instant commit_time;  // of the server's clock
  std::uint32_t xid = 0;
};

struct Commit {
  Lsn end_lsn;  // the position to resume from when all of the transaction is done
  Instant commit_time;
};

// What a table looks like from now on; sent before its first row and after each change.
struct Relation {
  std::uint32_t oid = 0;
  std::string_view schema;
  std::string_view table;
  std::vector<std::string_view> columns;
};

struct Field {
  bool present = false;  // false: NULL, or a value the server did not send
  std::string_view text;
};

struct Insert {
  std::uint32_t oid = 0;
  const std::vector<Field>* fields = nullptr;  // in the order of the Relation's columns
};

// Types, origins, truncations, updates, deletes, messages: nothing of the outbox.
struct Ignored {};

using Message = std::variant<Ignored, Begin, Commit, Relation, Insert>;

// Views of a decoded message point into `bytes` and the decoder, valid until the next Decode.
class Decoder {
 public:
  // Throws DecodeFault.
  [[nodiscard]] Message Decode(std::string_view bytes);

 private:
  std::vector<Field> fields_;  // kept, so that a row costs no allocation
};

}  // namespace countersign::relay
