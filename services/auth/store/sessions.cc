#include "services/auth/store/sessions.h"

#include <string_view>

#include "libs/core/invariant.h"
#include "libs/pg/array.h"
#include "services/auth/store/queries.h"

namespace countersign::auth::store {
namespace {

template <typename Enum>
Enum Known(const std::optional<Enum>& parsed) {
  Invariant(parsed.has_value(), "the statements and the domain know the same words");
  return *parsed;
}

RefreshedSession ToRefreshed(const pg::Row& row) {
  return {.verdict = Known(ParseRefreshVerdict(row.Get<std::string_view>("verdict"))),
          .user_id = {row.Get<Uuid>("user_id")},
          .role = row.Get<std::string>("role"),
          .client_id = row.Get<std::string>("client_id"),
          .methods = row.Get<std::string>("amr"),
          .counter = row.Get<std::int64_t>("refresh_counter"),
          .decided_at = row.Get<Instant>("decided_at"),
          .idle_expires_at = row.Get<Instant>("idle_expires_at"),
          .expires_at = row.Get<Instant>("expires_at")};
}

SessionState ToState(const pg::Row& row) {
  return {.user_id = {row.Get<Uuid>("user_id")},
          .status = Known(ParseAccountStatus(row.Get<std::string_view>("status"))),
          .role = row.Get<std::string>("role"),
          .ended = row.Get<bool>("ended"),
          .read_at = row.Get<Instant>("read_at")};
}

Profile ToProfile(const pg::Row& row) {
  return {.user_id = {row.Get<Uuid>("profile_id")},
          .phone_number = row.Get<std::string>("phone"),
          .first_name = row.Get<std::string>("first_name"),
          .last_name = row.Get<std::string>("last_name"),
          .email = row.Get<std::string>("email"),
          .country = row.Get<std::string>("country"),
          .salutation = row.Get<std::string>("salutation"),
          .locale = row.Get<std::string>("locale"),
          .role = row.Get<std::string>("profile_role"),
          .status = Known(ParseAccountStatus(row.Get<std::string_view>("profile_status"))),
          .created_at = row.Get<Instant>("created_at"),
          .version = row.Get<std::int64_t>("version"),
          .level = row.Get<std::int32_t>("level")};
}

std::size_t PlaceOf(const pg::Row& row) { return row.Get<std::size_t>("position") - 1; }

}  // namespace

std::vector<RefreshedSession> RefreshSessions(pg::Connection& connection,
                                              std::span<const RefreshSession> batch,
                                              const RefreshTerms& terms) {
  using Command = RefreshSession;
  const pg::Rows rows = connection.Execute(
      kRefreshSession, pg::Column(batch, &Command::session_id),
      pg::Column(batch, &Command::counter), pg::Column(batch, &Command::event_id),
      pg::Column(batch, &Command::refreshed_payload), pg::Column(batch, &Command::revoked_payload),
      pg::Column(batch, &Command::headers), terms.session.refresh_grace.count(),
      terms.session.idle.count(), terms.refreshed.topic, terms.refreshed.type, terms.revoked.topic,
      terms.revoked.type);
  std::vector<RefreshedSession> refreshed(batch.size());
  for (const pg::Row row : rows)
    if (!row.IsNull("user_id")) refreshed.at(PlaceOf(row)) = ToRefreshed(row);
  return refreshed;
}

std::vector<EndVerdict> EndSessions(pg::Connection& connection, std::span<const EndSession> batch,
                                    const EventKind& logged_out) {
  using Command = EndSession;
  const pg::Rows rows = connection.Execute(
      kEndSession, pg::Column(batch, &Command::session_id),
      pg::Column(batch, &Command::token_expires_at), pg::Column(batch, &Command::event_id),
      pg::Column(batch, &Command::payload), pg::Column(batch, &Command::headers), logged_out.topic,
      logged_out.type);
  std::vector<EndVerdict> verdicts(batch.size(), EndVerdict::kEndedBefore);
  for (const pg::Row row : rows)
    verdicts.at(PlaceOf(row)) = Known(ParseEndVerdict(row.Get<std::string_view>("verdict")));
  return verdicts;
}

std::vector<std::optional<SessionState>> ReadSessions(pg::Connection& connection,
                                                      std::span<const SessionId> session_ids) {
  const pg::Rows rows = connection.Execute(kReadSession, pg::Column(session_ids));
  std::vector<std::optional<SessionState>> states(session_ids.size());
  for (const pg::Row row : rows) states.at(PlaceOf(row)) = ToState(row);
  return states;
}

std::vector<std::optional<FoundProfile>> ReadProfiles(pg::Connection& connection,
                                                      std::span<const WantedProfile> batch) {
  const pg::Rows rows =
      connection.Execute(kReadProfile, pg::Column(batch, &WantedProfile::session_id),
                         pg::Column(batch, &WantedProfile::user_id));
  std::vector<std::optional<FoundProfile>> found(batch.size());
  for (const pg::Row row : rows) {
    FoundProfile& place = found.at(PlaceOf(row)).emplace();
    place.caller = ToState(row);
    if (!row.IsNull("profile_id")) place.profile = ToProfile(row);
  }
  return found;
}

}  // namespace countersign::auth::store
