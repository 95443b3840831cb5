#include "services/otp/store/guesses.h"

#include <algorithm>
#include <string_view>

#include "libs/core/invariant.h"
#include "libs/pg/array.h"
#include "services/otp/store/queries.h"

namespace countersign::otp::store {
namespace {

Hash ToHash(const Bytes& bytes) {
  Hash hash{};
  Invariant(bytes.size() == hash.size(), "hashes in rows have 32 bytes");
  std::ranges::copy(bytes, hash.begin());
  return hash;
}

std::string_view ToWord(RecordVerdict::Found found) {
  switch (found) {
    case RecordVerdict::Found::kRight:
      return "right";
    case RecordVerdict::Found::kGone:
      return "gone";
    case RecordVerdict::Found::kWrong:
      break;
  }
  return "wrong";
}

template <typename Value>
Value Known(const std::optional<Value>& parsed) {
  Invariant(parsed.has_value(), "the statements and the domain know the same words");
  return *parsed;
}

std::size_t Index(const pg::Row& row) { return row.Get<std::size_t>("position") - 1; }

}  // namespace

std::vector<CountedGuess> CountGuesses(pg::Connection& connection,
                                       std::span<const CountGuess> batch, const GuessTerms& terms) {
  const pg::Rows rows = connection.Execute(
      kCountGuesses, pg::Column(batch, &CountGuess::challenge_id),
      pg::Column(batch, [](const CountGuess& g) { return ToString(g.purpose); }),
      pg::Column(batch, &CountGuess::context_digest), pg::Column(batch, &CountGuess::claim_id),
      pg::Column(batch, &CountGuess::log_event_id), pg::Column(batch, &CountGuess::payload),
      pg::Column(batch, &CountGuess::headers), terms.failures_per_day,
      terms.attempts_exceeded.topic, terms.attempts_exceeded.type);

  std::vector<CountedGuess> counted(batch.size());
  for (const pg::Row row : rows) {
    CountedGuess& guess = counted.at(Index(row));
    guess.standing = Known(ParseStanding(row.Get<std::string_view>("standing")));
    guess.attempts_left = row.Get<int>("attempts_left");
    if (guess.standing != Standing::kCompare) continue;
    guess.subject_id = row.Get<SubjectId>("subject_id");
    guess.generation = row.Get<int>("generation");
    if (const auto hmac = row.Get<std::optional<Bytes>>("code_hmac"))
      guess.code_hmac = ToHash(*hmac);
    guess.code_key_id = row.Get<std::string>("code_key_id");
    guess.provider_sid = row.Get<std::string>("provider_sid");
    guess.only_open_claim = row.Get<bool>("only_open_claim");
  }
  return counted;
}

std::vector<Judgement> RecordVerdicts(pg::Connection& connection,
                                      std::span<const RecordVerdict> batch,
                                      const VerdictTerms& terms) {
  const pg::Rows rows = connection.Execute(
      kRecordVerdicts, pg::Column(batch, &RecordVerdict::challenge_id),
      pg::Column(batch, &RecordVerdict::claim_id), pg::Column(batch, &RecordVerdict::generation),
      pg::Column(batch, [](const RecordVerdict& v) { return ToWord(v.found); }),
      pg::Column(batch, &RecordVerdict::log_event_id), pg::Column(batch, &RecordVerdict::payload),
      pg::Column(batch, &RecordVerdict::headers), terms.approved.topic, terms.approved.type,
      terms.attempts_exceeded.topic, terms.attempts_exceeded.type);

  std::vector<Judgement> judgements(batch.size());
  for (const pg::Row row : rows) {
    const auto standing = Known(ParseStanding(row.Get<std::string_view>("verdict")));
    judgements.at(Index(row)) = {.verdict = Known(VerdictOf(standing)),
                                 .attempts_left = row.Get<int>("attempts_left")};
  }
  return judgements;
}

}  // namespace countersign::otp::store
