#include "services/outbox-relay/domain/pgoutput.h"

#include <chrono>
#include <string>

namespace countersign::relay {
namespace {

constexpr auto kPostgresEpoch = std::chrono::sys_days{std::chrono::year{2000} / 1 / 1};

// Reads big-endian numbers and texts from the front; throws past the end.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::string_view Take(std::size_t count) {
    if (count > rest_.size()) throw DecodeFault("pgoutput message is cut short");
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  template <typename Number>
  Number Unsigned() {
    std::uint64_t value = 0;
    for (const char c : Take(sizeof(Number))) value = value << 8 | static_cast<unsigned char>(c);
    return static_cast<Number>(value);
  }
  std::string_view Text() {
    const auto end = rest_.find('\0');
    if (end == std::string_view::npos) throw DecodeFault("pgoutput text has no end");
    const auto text = Take(end);
    (void)Take(1);
    return text;
  }
  Lsn Position() { return Lsn{Unsigned<std::uint64_t>()}; }
  Instant Time() {
    const auto since = static_cast<std::int64_t>(Unsigned<std::uint64_t>());
    return kPostgresEpoch + std::chrono::microseconds{since};
  }
  void End() const {
    if (!rest_.empty()) throw DecodeFault("pgoutput message has bytes left over");
  }

 private:
  std::string_view rest_;
};

Relation ReadRelation(Reader& in) {
  Relation relation;
  relation.oid = in.Unsigned<std::uint32_t>();
  relation.schema = in.Text();
  relation.table = in.Text();
  (void)in.Take(1);  // replica identity
  const auto count = in.Unsigned<std::uint16_t>();
  relation.columns.reserve(count);
  for (int i = 0; i < count; ++i) {
    (void)in.Take(1);  // flags
    relation.columns.push_back(in.Text());
    (void)in.Take(4 + 4);  // type and modifier
  }
  return relation;
}

Field ReadField(Reader& in) {
  const char kind = in.Take(1)[0];
  switch (kind) {
    case 'n':
    case 'u':
      return {};
    case 't':
      return {.present = true, .text = in.Take(in.Unsigned<std::uint32_t>())};
    default:
      throw DecodeFault("pgoutput column of unknown kind " + std::to_string(kind));
  }
}

}  // namespace

Message Decoder::Decode(std::string_view bytes) {
  Reader in(bytes);
  switch (in.Take(1)[0]) {
    case 'B': {
      const auto final_lsn = in.Position();
      const auto time = in.Time();
      const Begin begin{final_lsn, time, in.Unsigned<std::uint32_t>()};
      in.End();
      return begin;
    }
    case 'C': {
      (void)in.Take(1 + 8);  // flags, position of the commit record
      const auto end_lsn = in.Position();
      const Commit commit{end_lsn, in.Time()};
      in.End();
      return commit;
    }
    case 'R': {
      auto relation = ReadRelation(in);
      in.End();
      return relation;
    }
    case 'I': {
      const auto oid = in.Unsigned<std::uint32_t>();
      if (in.Take(1)[0] != 'N') throw DecodeFault("pgoutput insert without a new row");
      const auto count = in.Unsigned<std::uint16_t>();
      fields_.clear();
      for (int i = 0; i < count; ++i) fields_.push_back(ReadField(in));
      in.End();
      return Insert{oid, &fields_};
    }
    case 'T':
    case 'O':
    case 'Y':
    case 'U':
    case 'D':
    case 'M':
      return Ignored{};
    default:
      throw DecodeFault("pgoutput message of unknown type " +
                        std::to_string(static_cast<unsigned char>(bytes[0])));
  }
}

}  // namespace countersign::relay
