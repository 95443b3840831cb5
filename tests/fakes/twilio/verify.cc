#include "tests/fakes/twilio/verify.h"

#include <algorithm>
#include <array>

#include "tests/fakes/twilio/errors.h"
#include "tests/fakes/twilio/paging.h"

namespace countersign::twilio_fake {
namespace {

constexpr std::size_t kMaxSends = 5;
constexpr int kMaxChecks = 5;
constexpr std::array<std::string_view, 6> kChannels = {"sms",   "call", "whatsapp",
                                                       "email", "sna",  "auto"};

bool IsE164(std::string_view text) {
  return text.size() >= 8 && text.size() <= 16 && text.front() == '+' && text[1] != '0' &&
         std::ranges::all_of(text.substr(1), [](char c) { return c >= '0' && c <= '9'; });
}

bool IsAddress(std::string_view text, std::string_view channel) {
  return channel == "email" ? text.find('@') != std::string_view::npos : IsE164(text);
}

// The wording of channels differs inside send_code_attempts, and so it does upstream.
std::string AttemptChannel(const std::string& channel) {
  if (channel == "sms") return "SMS";
  if (channel == "email") return "EMAIL";
  return channel;
}

bool IsValidTags(std::string_view text) {
  if (text.empty()) return true;
  const auto tags = nlohmann::json::parse(text, nullptr, false);
  return tags.is_object() && tags.size() <= 10 &&
         std::ranges::all_of(tags, [](const nlohmann::json& value) {
           return value.is_string() && value.get_ref<const std::string&>().size() <= 128;
         });
}

}  // namespace

Verify::Verify(VerifySettings settings, const Clock& clock, Dice& dice, Phones& phones)
    : settings_(std::move(settings)), clock_(clock), dice_(dice), phones_(phones) {}

bool Verify::Serves(const std::string& service) const {
  return std::ranges::find(settings_.service_sids, service) != settings_.service_sids.end();
}

Verify::Verification* Verify::Pending(const std::string& service, const std::string& to) {
  const auto open = open_.find(service + ' ' + to);
  if (open == open_.end()) return nullptr;
  Verification& verification = by_sid_.at(open->second);
  if (clock_.Now() < verification.expires) return &verification;
  Close(verification, "expired");
  return nullptr;
}

void Verify::Close(Verification& verification, std::string status) {
  verification.status = std::move(status);
  verification.updated = clock_.Now();
  open_.erase(verification.service + ' ' + verification.to);
}

// A cancelled one stays visible, an approved, expired or locked one does not.
Verify::Verification* Verify::Lookup(const std::string& service, const std::string& which) {
  if (!which.starts_with("VE")) return Pending(service, which);
  const auto found = by_sid_.find(which);
  if (found == by_sid_.end() || found->second.service != service) return nullptr;
  Verification& verification = found->second;
  if (verification.status == "canceled") return &verification;
  return Pending(service, verification.to) == &verification ? &verification : nullptr;
}

Reply Verify::FetchService(const std::string& service) {
  if (!Serves(service)) return NotFound("/v2/Services/" + service);
  const std::string url = settings_.base_url + "/v2/Services/" + service;
  const auto none = [](std::initializer_list<const char*> names) {
    nlohmann::json object = nlohmann::json::object();
    for (const auto* name : names) object[name] = nullptr;
    return object;
  };
  const nlohmann::json body = {{"sid", service},
                               {"account_sid", settings_.account_sid},
                               {"friendly_name", "Countersign"},
                               {"code_length", settings_.code_length},
                               {"lookup_enabled", false},
                               {"psd2_enabled", false},
                               {"skip_sms_to_landlines", false},
                               {"dtmf_input_required", false},
                               {"tts_name", nullptr},
                               {"do_not_share_warning_enabled", false},
                               {"custom_code_enabled", settings_.custom_codes},
                               {"push", none({"apn_credential_sid", "fcm_credential_sid"})},
                               {"totp", none({"issuer", "time_step", "code_length", "skew"})},
                               {"whatsapp", none({"msg_service_sid", "from"})},
                               {"passkeys", none({"relying_party", "authenticator_attachment"})},
                               {"default_template_sid", nullptr},
                               {"verify_event_subscription_enabled", false},
                               {"date_created", "2024-01-01T00:00:00Z"},
                               {"date_updated", "2024-01-01T00:00:00Z"},
                               {"url", url},
                               {"links",
                                {{"verifications", url + "/Verifications"},
                                 {"verification_checks", url + "/VerificationCheck"}}}};
  return {.status = 200, .body = body.dump()};
}

Reply Verify::Create(const std::string& service, const Call& call) {
  if (!Serves(service)) return NotFound(call.path);
  const std::string to(Find(call.form, "To"));
  const std::string_view channel = Find(call.form, "Channel");
  const std::string_view custom = Find(call.form, "CustomCode");
  if (std::ranges::find(kChannels, channel) == kChannels.end()) return BadParameter("Channel");
  if (!IsAddress(to, channel)) return BadParameter("To");
  if (!IsValidTags(Find(call.form, "Tags"))) return BadParameter("Tags");
  if (!custom.empty() && !settings_.custom_codes) return ErrorReply(60204);
  if (!custom.empty() && (custom.size() < 4 || custom.size() > 10)) {
    return BadParameter("CustomCode");
  }

  Verification* verification = Pending(service, to);
  if (verification == nullptr) {
    verification = &Open(service, call);
  } else if (verification->checks >= kMaxChecks) {
    return ErrorReply(60202);
  } else if (verification->attempts.size() >= kMaxSends) {
    return ErrorReply(60203);
  } else if (!custom.empty() && custom != verification->code) {
    // Undefined upstream, so a client must never do it.
    return ErrorReply(500, 20500, "CustomCode differs from the pending one");
  }
  verification->channel = channel == "auto" ? "sms" : std::string(channel);
  verification->updated = clock_.Now();
  verification->attempts.push_back(
      {.sid = dice_.Sid("VL"), .channel = verification->channel, .at = verification->updated});
  Deliver(*verification, call);
  return {.status = 201, .body = Show(*verification).dump()};
}

Verify::Verification& Verify::Open(const std::string& service, const Call& call) {
  const std::string_view custom = Find(call.form, "CustomCode");
  Verification fresh{
      .sid = dice_.Sid("VE"),
      .service = service,
      .to = std::string(Find(call.form, "To")),
      .channel = {},
      .code = custom.empty() ? dice_.Digits(settings_.code_length) : std::string(custom),
      .created = clock_.Now(),
      .updated = {},
      .expires = clock_.Now() + settings_.life};
  open_[service + ' ' + fresh.to] = fresh.sid;
  by_phone_[fresh.to].push_back(fresh.sid);
  const std::string sid = fresh.sid;
  return by_sid_.emplace(sid, std::move(fresh)).first->second;
}

void Verify::Deliver(const Verification& verification, const Call& call) {
  phones_.Deliver({.operation = "CreateVerification",
                   .to = verification.to,
                   .channel = verification.channel,
                   .text = "Your Countersign verification code is: " + verification.code,
                   .code = verification.code,
                   .sid = verification.sid,
                   .attempt_sid = verification.attempts.back().sid,
                   .service_sid = verification.service,
                   .attempt_id = AttemptId(call),
                   .traceparent = call.traceparent,
                   .validity = {},
                   .received_at = verification.updated});
}

Reply Verify::Fetch(const std::string& service, const std::string& which) {
  const Verification* found = Lookup(service, which);
  if (found == nullptr || (found->status == "pending" && found->checks >= kMaxChecks)) {
    return NotFound("/v2/Services/" + service + "/Verifications/" + which);
  }
  return {.status = 200, .body = Show(*found).dump()};
}

Reply Verify::Update(const std::string& service, const std::string& which, const Call& call) {
  const std::string status(Find(call.form, "Status"));
  if (status != "canceled" && status != "approved") return BadParameter("Status");
  Verification* found = Lookup(service, which);
  if (found == nullptr || found->status != "pending") return NotFound(call.path);
  Close(*found, status);
  return {.status = 200, .body = Show(*found).dump()};
}

Reply Verify::Check(const std::string& service, const Call& call) {
  if (!Serves(service)) return NotFound(call.path);
  const std::string_view code = Find(call.form, "Code");
  const std::string sid(Find(call.form, "VerificationSid"));
  const std::string to(Find(call.form, "To"));
  if (code.size() < 4 || code.size() > 10) return BadParameter("Code");
  if (sid.empty() == to.empty()) return BadParameter("To");
  Verification* found = Lookup(service, sid.empty() ? to : sid);
  if (found == nullptr || found->status != "pending") return NotFound(call.path);
  if (found->checks >= kMaxChecks) return ErrorReply(60202);
  found->checks += 1;
  found->updated = clock_.Now();
  if (code == found->code) Close(*found, "approved");
  const nlohmann::json body = {{"sid", found->sid},
                               {"service_sid", found->service},
                               {"account_sid", settings_.account_sid},
                               {"to", found->to},
                               {"channel", found->channel},
                               {"status", found->status},
                               {"valid", found->status == "approved"},
                               {"amount", nullptr},
                               {"payee", nullptr},
                               {"sna_attempts_error_codes", nlohmann::json::array()},
                               {"date_created", ToIso8601(found->created)},
                               {"date_updated", ToIso8601(found->updated)}};
  return {.status = 201, .body = body.dump()};
}

Reply Verify::ListAttempts(const Call& call) const {
  const std::string_view sid = Find(call.query, "VerificationSid");
  const std::string to(Find(call.query, "ChannelData.To"));
  const std::string_view service = Find(call.query, "VerifyServiceSid");
  const std::string_view after = Find(call.query, "DateCreatedAfter");
  const std::string_view before = Find(call.query, "DateCreatedBefore");
  const std::string_view conversion = Find(call.query, "Status");
  auto attempts = nlohmann::json::array();
  const auto add = [&](const Verification& verification) {
    if (!service.empty() && verification.service != service) return;
    if (!to.empty() && verification.to != to) return;
    for (const auto& attempt : verification.attempts) {
      const std::string at = ToIso8601(attempt.at);
      if (attempt.at + settings_.index_lag > clock_.Now()) continue;
      if ((!after.empty() && at < after) || (!before.empty() && at > before)) continue;
      auto shown = ShowAttempt(verification, attempt);
      if (!conversion.empty() && shown["conversion_status"] != conversion) continue;
      attempts.push_back(std::move(shown));
    }
  };
  if (!sid.empty()) {
    if (const auto found = by_sid_.find(std::string(sid)); found != by_sid_.end()) {
      add(found->second);
    }
  } else if (!to.empty()) {
    if (const auto found = by_phone_.find(to); found != by_phone_.end()) {
      for (const auto& one : found->second) add(by_sid_.at(one));
    }
  } else {
    for (const auto& entry : by_sid_) add(entry.second);
  }
  const Page page = PageOf(attempts, call);
  const nlohmann::json body = {{"attempts", page.rows},
                               {"meta",
                                {{"key", "attempts"},
                                 {"page", page.number},
                                 {"page_size", page.size},
                                 {"first_page_url", settings_.base_url + page.first},
                                 {"previous_page_url", Absolute(settings_.base_url, page.previous)},
                                 {"url", settings_.base_url + page.own},
                                 {"next_page_url", Absolute(settings_.base_url, page.next)}}}};
  return {.status = 200, .body = body.dump()};
}

nlohmann::json Verify::Show(const Verification& verification) const {
  auto attempts = nlohmann::json::array();
  for (const auto& attempt : verification.attempts) {
    attempts.push_back({{"time", ToIso8601(attempt.at)},
                        {"channel", AttemptChannel(attempt.channel)},
                        {"attempt_sid", attempt.sid}});
  }
  return {{"sid", verification.sid},
          {"service_sid", verification.service},
          {"account_sid", settings_.account_sid},
          {"to", verification.to},
          {"channel", verification.channel},
          {"status", verification.status},
          {"valid", verification.status == "approved"},
          {"lookup", nlohmann::json::object()},
          {"amount", nullptr},
          {"payee", nullptr},
          {"send_code_attempts", std::move(attempts)},
          {"date_created", ToIso8601(verification.created)},
          {"date_updated", ToIso8601(verification.updated)},
          {"sna", nullptr},
          {"url", settings_.base_url + "/v2/Services/" + verification.service + "/Verifications/" +
                      verification.sid}};
}

nlohmann::json Verify::ShowAttempt(const Verification& verification, const Attempt& attempt) const {
  const bool converted = verification.status == "approved";
  return {{"sid", attempt.sid},
          {"account_sid", settings_.account_sid},
          {"service_sid", verification.service},
          {"verification_sid", verification.sid},
          {"date_created", ToIso8601(attempt.at)},
          {"date_updated", ToIso8601(verification.updated)},
          {"conversion_status", converted ? "converted" : "unconverted"},
          {"channel", attempt.channel},
          {"price", {{"value", nullptr}, {"currency", "usd"}}},
          {"channel_data",
           {{"verification_sid", verification.sid},
            {"to", verification.to},
            {"status", converted ? "confirmed" : "unconfirmed"},
            {"message_status", "sent"},
            {"code_length", settings_.code_length}}},
          {"url", settings_.base_url + "/v2/Attempts/" + attempt.sid}};
}

void Verify::Clear() {
  by_sid_.clear();
  open_.clear();
  by_phone_.clear();
}

}  // namespace countersign::twilio_fake
