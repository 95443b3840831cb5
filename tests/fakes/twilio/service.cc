#include "tests/fakes/twilio/service.h"

#include <algorithm>
#include <random>
#include <stdexcept>

#include "tests/fakes/twilio/errors.h"

namespace countersign::twilio_fake {
namespace {

using nlohmann::json;

// What GET /_fake/requests remembers.
constexpr std::size_t kRecentCalls = 1000;

std::vector<std::string> Segments(const std::string& path) {
  std::vector<std::string> segments;
  std::size_t begin = 1;
  while (begin <= path.size()) {
    const auto end = std::min(path.find('/', begin), path.size());
    segments.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return segments;
}

bool IsSid(const std::string& text, std::string_view prefix) {
  return text.size() == 34 && text.starts_with(prefix) &&
         std::all_of(text.begin() + 2, text.end(),
                     [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; });
}

std::uint64_t SeedOrChance(std::uint64_t seed) {
  return seed != 0 ? seed : (std::uint64_t{std::random_device{}()} << 32U) ^ std::random_device{}();
}

Reply Json(const json& body, int status = 200) { return {.status = status, .body = body.dump()}; }

}  // namespace

Service::Service(ServiceSettings settings)
    : settings_(std::move(settings)),
      dice_(SeedOrChance(settings_.seed)),
      verify_(settings_.verify, clock_, dice_, phones_),
      messages_(settings_.verify.account_sid, clock_, dice_, phones_) {}

Operation Service::Recognise(const Call& call) {
  const auto path = Segments(call.path);
  const bool get = call.method == "GET";
  const bool post = call.method == "POST";
  const auto name = [&](const char* on_get, const char* on_post) {
    return std::string(get ? on_get : post ? on_post : "");
  };
  if (path.size() >= 2 && path[0] == "v2" && path[1] == "Attempts" && path.size() == 2) {
    return {.name = name("ListVerificationAttempt", ""), .service = {}, .which = {}, .account = {}};
  }
  if (path.size() >= 3 && path[0] == "v2" && path[1] == "Services" && IsSid(path[2], "VA")) {
    Operation operation{.name = "Unknown", .service = path[2], .which = {}, .account = {}};
    if (path.size() == 3) operation.name = name("FetchService", "");
    if (path.size() == 4 && path[3] == "Verifications") {
      operation.name = name("", "CreateVerification");
    }
    if (path.size() == 4 && path[3] == "VerificationCheck") {
      operation.name = name("", "CreateVerificationCheck");
    }
    if (path.size() == 5 && path[3] == "Verifications") {
      operation.name = name("FetchVerification", "UpdateVerification");
      operation.which = path[4];
    }
    return operation;
  }
  if (path.size() >= 4 && path[0] == "2010-04-01" && path[1] == "Accounts") {
    Operation operation{.name = "Unknown", .service = {}, .which = {}, .account = path[2]};
    if (path.size() == 4 && path[3] == "Messages.json") {
      operation.name = name("ListMessage", "CreateMessage");
    }
    if (path.size() == 5 && path[3] == "Messages" && path[4].ends_with(".json")) {
      operation.name = name("FetchMessage", "");
      operation.which = path[4].substr(0, path[4].size() - 5);
    }
    return operation;
  }
  return {};
}

Service::Ticket Service::Begin(const Call& call) {
  Ticket ticket{
      .operation = Recognise(call), .fault = {}, .latency = settings_.latency, .create_key = {}};
  const std::string to(Find(call.form, "To"));
  ticket.fault = faults_.Match(ticket.operation.name, to);
  if (ticket.fault) ticket.latency += ticket.fault->latency;
  if (ticket.operation.name == "CreateVerification" && settings_.refuse_concurrent_creates) {
    const std::string key = ticket.operation.service + ' ' + to;
    ticket.collided = !creates_in_flight_.insert(key).second;
    if (!ticket.collided) ticket.create_key = key;
  }
  Record(ticket.operation, call);
  max_in_flight_ = std::max(max_in_flight_, ++in_flight_);
  return ticket;
}

void Service::End(const Ticket& ticket) {
  --in_flight_;
  if (!ticket.create_key.empty()) creates_in_flight_.erase(ticket.create_key);
}

void Service::Record(const Operation& operation, const Call& call) {
  ++calls_[operation.name];
  auto form = json::object();
  for (const auto& [name, value] : call.form) form[name] = value;
  recent_.push_back({{"operation", operation.name},
                     {"method", call.method},
                     {"target", call.raw_target},
                     {"content_type", call.content_type},
                     {"form", std::move(form)},
                     {"request_id", call.request_id},
                     {"traceparent", call.traceparent}});
  if (recent_.size() > kRecentCalls) recent_.pop_front();
}

bool Service::IsLetIn(const Call& call) const {
  constexpr std::string_view kScheme = "Basic ";
  if (!call.authorization.starts_with(kScheme)) return false;
  const std::string pair = Base64Decode(std::string_view(call.authorization).substr(6));
  return std::ranges::any_of(settings_.credentials, [&](const auto& known) {
    return pair == known.first + ":" + known.second;
  });
}

Reply Service::Perform(const Ticket& ticket, const Call& call) {
  if (!IsLetIn(call)) return ErrorReply(20003);
  if (ticket.operation.name == "Unknown") return NotFound(call.path);
  if (ticket.operation.name.empty()) return ErrorReply(20004);
  if (call.method == "POST" &&
      !call.content_type.starts_with("application/x-www-form-urlencoded")) {
    return ErrorReply(415, 20415, "Unsupported media type");
  }
  if (ticket.collided) return ErrorReply(60212);
  return Dispatch(ticket.operation, call);
}

Reply Service::Dispatch(const Operation& operation, const Call& call) {
  const auto& name = operation.name;
  if (!operation.account.empty() && operation.account != settings_.verify.account_sid) {
    return NotFound(call.path);
  }
  if (name == "CreateVerification") return verify_.Create(operation.service, call);
  if (name == "CreateVerificationCheck") return verify_.Check(operation.service, call);
  if (name == "FetchVerification") return verify_.Fetch(operation.service, operation.which);
  if (name == "UpdateVerification") {
    return verify_.Update(operation.service, operation.which, call);
  }
  if (name == "FetchService") return verify_.FetchService(operation.service);
  if (name == "ListVerificationAttempt") return verify_.ListAttempts(call);
  if (name == "CreateMessage") return messages_.Create(call);
  if (name == "FetchMessage") return messages_.Fetch(operation.which, call);
  if (name == "ListMessage") return messages_.List(call);
  return NotFound(call.path);
}

std::optional<Reply> Service::Admin(const Call& call) {
  if (!call.path.starts_with("/_fake/")) return std::nullopt;
  const std::string what = call.method + call.path.substr(6);
  try {
    if (what == "GET/messages") return Json(phones_.Messages(Find(call.query, "to")));
    if (what == "GET/ledger") {
      const std::string from(Find(call.query, "from"));
      return Json(phones_.Ledger(from.empty() ? 0 : std::stoul(from), Find(call.query, "to")));
    }
    if (what == "GET/faults") return Json(faults_.List());
    if (what == "POST/faults") return Json(faults_.Add(json::parse(call.body)));
    if (what == "DELETE/faults") {
      faults_.Clear();
      return Json(json::object());
    }
    if (what == "GET/clock" || what == "POST/clock") return MoveClock(call);
    if (what == "GET/requests" || what == "GET/stats") return ShowBooks(call);
    if (what == "POST/reset") {
      Reset();
      return Json(json::object());
    }
  } catch (const std::exception& fault) {
    return Json({{"error", fault.what()}}, 400);
  }
  return Json({{"error", "no such endpoint: " + what}}, 404);
}

Reply Service::MoveClock(const Call& call) {
  if (call.method == "POST") {
    const double seconds = json::parse(call.body).at("advance_seconds").get<double>();
    clock_.Move(std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6)));
  }
  const Instant now = clock_.Now();
  return Json({{"now", ToRfc3339(now)}, {"now_us", now.time_since_epoch().count()}});
}

Reply Service::ShowBooks(const Call& call) const {
  if (call.path == "/_fake/requests") return Json({{"requests", recent_}});
  return Json({{"calls", calls_},
               {"sends", phones_.Count()},
               {"in_flight", in_flight_},
               {"max_in_flight", max_in_flight_}});
}

void Service::Reset() {
  clock_.Reset();
  phones_.Clear();
  verify_.Clear();
  messages_.Clear();
  faults_.Clear();
  calls_.clear();
  recent_.clear();
  max_in_flight_ = in_flight_;
}

}  // namespace countersign::twilio_fake
