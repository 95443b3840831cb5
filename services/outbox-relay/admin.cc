#include "services/outbox-relay/admin.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "libs/core/version.h"
#include "libs/pg/errors.h"
#include "services/outbox-relay/side_connection.h"
#include "services/outbox-relay/sql/queries.h"

namespace countersign::relay {
namespace {

constexpr const char* kJson = "application/json";

std::string NameOf(Mode mode) {
  switch (mode) {
    case Mode::kRunning:
      return "running";
    case Mode::kPaused:
      return "paused";
    case Mode::kDraining:
    case Mode::kSettling:
      return "draining";
    case Mode::kDrained:
      return "drained";
  }
  return "unknown";
}

std::string NameOf(Role role) {
  switch (role) {
    case Role::kConnecting:
      return "connecting";
    case Role::kStandsBy:
      return "stands by";
    case Role::kLeads:
      return "leads";
    case Role::kSteppedAside:
      return "stepped down";
  }
  return "unknown";
}

endpoint::Answer Page(std::string status, const nlohmann::json& json) {
  return {.status = std::move(status),
          .type = kJson,
          .body = json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n"};
}

endpoint::Answer Refuse(const std::string& why, std::string status = "409 Conflict") {
  return Page(std::move(status), {{"error", why}});
}

}  // namespace

Admin::Admin(AdminSettings settings, Control& control, const Observer& observer,
             const log::Logger& logger)
    : settings_(std::move(settings)),
      control_(control),
      observer_(observer),
      logger_(logger),
      listener_(settings_.socket),
      server_(
          listener_.TakeSocket(),
          [this](const endpoint::Request& request) { return Handle(request); },
          endpoint::Peers::kOwnUser) {}

endpoint::Answer Admin::Handle(const endpoint::Request& request) {
  if (request.path == "/status") {
    return request.method == "GET" ? Tell() : Refuse("GET only", "405 Method Not Allowed");
  }
  const bool known = request.path == "/pause" || request.path == "/resume" ||
                     request.path == "/drain" || request.path == "/drain/cancel" ||
                     request.path == "/step-down";
  if (!known) return Refuse("there is no such verb", "404 Not Found");
  // A page that a browser was made to open asks with GET.
  if (request.method != "POST") return Refuse("POST only", "405 Method Not Allowed");
  logger_.Info("an operator asks", {{"verb", request.path.substr(1)}});
  if (request.path == "/drain") return Drain();
  if (request.path == "/step-down") return StepDown();
  const auto found = request.path == "/pause"    ? control_.Pause()
                     : request.path == "/resume" ? control_.Resume()
                                                 : control_.GiveUpDrain();
  return Tell(&found);
}

endpoint::Answer Admin::Drain() {
  const auto before = control_.Look();
  if (before.standing.role != Role::kLeads) {
    return Refuse("only the relay that leads can be drained; this one: " +
                  NameOf(before.standing.role));
  }
  Lsn target;
  if (settings_.source == Source::kWal) {
    try {
      pg::Connection connection(BesideTheStream(settings_.database, "admin"));
      const auto rows = connection.Execute(sql::kEndOfCommits);
      const auto end = ParseLsn(rows.Only().Get<std::string_view>(0));
      if (!end) return Refuse("the database gave no position", "503 Service Unavailable");
      target = *end;
    } catch (const std::exception& fault) {
      return Refuse(std::string("the database does not say how far it is: ") + fault.what(),
                    "503 Service Unavailable");
    }
  }
  const auto found = control_.Drain(target);
  return Tell(&found);
}

endpoint::Answer Admin::StepDown() {
  const auto found = control_.StepDown();
  if (found.standing.role != Role::kLeads) {
    return Refuse("it does not lead, so there is nothing to step down from; this one: " +
                  NameOf(found.standing.role));
  }
  return Tell(&found);
}

endpoint::Answer Admin::Tell(const Control::View* found) const {
  const auto now = control_.Look();
  nlohmann::json json = {{"slot", settings_.slot},
                         {"source", settings_.source == Source::kTable ? "table" : "wal"},
                         {"version", Version()},
                         {"role", NameOf(now.standing.role)},
                         {"state", NameOf(now.mode)},
                         {"paused_seconds", nullptr},
                         {"reading", now.standing.reading},
                         {"in_flight", now.standing.in_flight},
                         {"confirmed_lsn", ToString(now.standing.confirmed)},
                         {"seen_lsn", ToString(now.standing.seen)},
                         {"lag_seconds", observer_.LagSeconds()},
                         {"checkpoint_age_seconds", observer_.CheckpointAge()},
                         {"parked_keys", static_cast<std::int64_t>(observer_.ParkedKeys())},
                         {"trouble", observer_.Health()},
                         {"found", nullptr}};
  if (now.paused_since) {
    const auto age = std::chrono::steady_clock::now() - *now.paused_since;
    json["paused_seconds"] = std::chrono::duration<double>(age).count();
  }
  if (found != nullptr) json["found"] = NameOf(found->mode);
  return Page("200 OK", json);
}

}  // namespace countersign::relay
