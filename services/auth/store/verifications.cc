#include "services/auth/store/verifications.h"

#include <algorithm>
#include <string_view>

#include "libs/core/invariant.h"
#include "libs/pg/array.h"
#include "services/auth/store/queries.h"

namespace countersign::auth::store {
namespace {

Hash HashOf(const Bytes& bytes) {
  Hash hash{};
  Invariant(bytes.size() == hash.size(), "hashes in the database have 32 bytes");
  std::copy(bytes.begin(), bytes.end(), hash.begin());
  return hash;
}

template <typename Enum>
Enum Known(const std::optional<Enum>& parsed) {
  Invariant(parsed.has_value(), "the schema and the domain know the same words");
  return *parsed;
}

KnownVerification ToVerification(const pg::Row& row) {
  KnownVerification verification{
      .challenge_id = row.Get<Uuid>("challenge_id"),
      .purpose = Known(ParsePurpose(row.Get<std::string_view>("purpose"))),
      .phone = row.Get<std::string>("phone"),
      .phone_hash = HashOf(row.Get<Bytes>("phone_hash")),
      .channel = Known(ParseChannel(row.Get<std::string_view>("channel"))),
      .locale = row.Get<std::string>("locale"),
      .used = row.Get<bool>("used"),
      .expired = row.Get<bool>("over"),
      .subject_id = row.Get<Uuid>("subject_id"),
      .holder = std::nullopt};
  if (const auto user_id = row.Get<std::optional<Uuid>>("user_id")) {
    verification.holder =
        Holder{.user_id = {*user_id},
               .person_key = row.Get<std::optional<Bytes>>("person_key").value_or(Bytes()),
               .person_key_kek = row.Get<std::string>("person_key_kek")};
  }
  return verification;
}

Completion ToCompletion(const pg::Row& row) {
  return {.role = row.Get<std::string>("role"),
          .began_at = row.Get<Instant>("began_at"),
          .idle_expires_at = row.Get<Instant>("idle_expires_at"),
          .expires_at = row.Get<Instant>("expires_at")};
}

}  // namespace

std::vector<std::optional<KnownVerification>> ReadVerifications(pg::Connection& connection,
                                                                std::span<const Hash> id_hashes) {
  const pg::Rows rows = connection.Execute(kReadVerification, pg::Column(id_hashes));
  std::vector<std::optional<KnownVerification>> verifications(id_hashes.size());
  for (const pg::Row row : rows)
    verifications.at(row.Get<std::size_t>("position") - 1) = ToVerification(row);
  return verifications;
}

std::vector<Completion> CompleteVerifications(pg::Connection& connection,
                                              std::span<const CompleteVerification> batch,
                                              const CompletionTerms& terms) {
  using Command = CompleteVerification;
  const pg::Rows rows = connection.Execute(
      kCompleteVerification, pg::Column(batch, &Command::id_hash),
      pg::Column(batch, &Command::phone_hash), pg::Column(batch, &Command::user_id),
      pg::Column(batch, [](const Command& c) { return ToString(c.purpose); }),
      pg::Column(batch, [](const Command& c) { return ToString(c.refusal); }),
      pg::Column(batch, &Command::session_id), pg::Column(batch, &Command::client_id),
      pg::Column(batch, &Command::methods), pg::Column(batch, &Command::verified_event_id),
      pg::Column(batch, &Command::verified_payload), pg::Column(batch, &Command::login_event_id),
      pg::Column(batch, &Command::login_payload), pg::Column(batch, &Command::failed_event_id),
      pg::Column(batch, &Command::failed_payload), pg::Column(batch, &Command::headers),
      terms.session.idle.count(), terms.session.absolute.count(), terms.verified.topic,
      terms.verified.type, terms.logged_in.topic, terms.logged_in.type, terms.login_failed.topic,
      terms.login_failed.type);

  std::vector<Completion> completions(batch.size());
  for (const pg::Row row : rows) {
    const Refusal refusal = Known(ParseRefusal(row.Get<std::string_view>("reason")));
    completions.at(row.Get<std::size_t>("position") - 1) =
        refusal == Refusal::kNone ? ToCompletion(row) : Completion{.refusal = refusal};
  }
  return completions;
}

std::optional<Completion> FindCompletion(pg::Connection& connection,
                                         const CompleteVerification& command) {
  const pg::Rows rows = connection.Execute(kFindSession, command.session_id);
  if (rows.empty()) return std::nullopt;
  return ToCompletion(rows.Only());
}

}  // namespace countersign::auth::store
