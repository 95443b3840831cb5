#include "tests/fakes/twilio/messages.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <string_view>

#include "tests/fakes/twilio/errors.h"
#include "tests/fakes/twilio/paging.h"

namespace countersign::twilio_fake {
namespace {

constexpr std::size_t kMaxBody = 1600;
constexpr int kMaxValidity = 36000;

struct TestNumber {
  std::string_view number;
  int code;
};
// Numbers with which the service itself lets clients try its refusals.
constexpr std::array kRefusedRecipients = {
    TestNumber{"+15005550001", 21211}, TestNumber{"+15005550002", 21612},
    TestNumber{"+15005550003", 21408}, TestNumber{"+15005550004", 21610},
    TestNumber{"+15005550009", 21614},
};
constexpr std::array kRefusedSenders = {
    TestNumber{"+15005550001", 21212},
    TestNumber{"+15005550007", 21606},
    TestNumber{"+15005550008", 21611},
};

template <std::size_t count>
std::optional<int> RefusalFor(const std::array<TestNumber, count>& list, std::string_view number) {
  const auto* const found =
      std::ranges::find_if(list, [&](const TestNumber& test) { return test.number == number; });
  return found == list.end() ? std::nullopt : std::optional<int>(found->code);
}

// The digits a person would type: the first run of four to ten.
std::string CodeIn(std::string_view body) {
  std::string run;
  for (std::size_t i = 0; i <= body.size(); ++i) {
    if (i < body.size() && std::isdigit(static_cast<unsigned char>(body[i])) != 0) {
      run.push_back(body[i]);
    } else {
      if (run.size() >= 4 && run.size() <= 10) return run;
      run.clear();
    }
  }
  return {};
}

bool IsReachable(std::string_view to) {
  if (to.starts_with("whatsapp:")) to.remove_prefix(9);
  return to.size() >= 8 && to.size() <= 16 && to.front() == '+' &&
         std::ranges::all_of(to.substr(1), [](char c) { return c >= '0' && c <= '9'; });
}

bool IsValidValidity(std::string_view text) {
  int seconds = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  return fault == std::errc{} && end == text.data() + text.size() && seconds >= 1 &&
         seconds <= kMaxValidity;
}

std::string Segments(const std::string& body) {
  const bool narrow = std::ranges::all_of(body, [](char c) { return (c & '\x80') == 0; });
  const std::size_t single = narrow ? 160 : 70;
  const std::size_t part = narrow ? 153 : 67;
  return std::to_string(body.size() <= single ? 1 : (body.size() + part - 1) / part);
}

}  // namespace

Reply Messages::Create(const Call& call) {
  Message message{.sid = {},
                  .to = std::string(Find(call.form, "To")),
                  .from = std::string(Find(call.form, "From")),
                  .service = std::string(Find(call.form, "MessagingServiceSid")),
                  .body = std::string(Find(call.form, "Body")),
                  .created = clock_.Now()};
  const std::string_view content = Find(call.form, "ContentSid");
  const std::string validity(Find(call.form, "ValidityPeriod"));
  if (!IsReachable(message.to)) return ErrorReply(21211);
  if (message.from.empty() && message.service.empty()) return ErrorReply(21603);
  if (message.body.empty() && content.empty()) return ErrorReply(21602);
  if (message.body.size() > kMaxBody) return ErrorReply(21617);
  if (!validity.empty() && !IsValidValidity(validity)) return BadParameter("ValidityPeriod");
  if (const auto code = RefusalFor(kRefusedRecipients, message.to)) return ErrorReply(*code);
  if (const auto code = RefusalFor(kRefusedSenders, message.from)) return ErrorReply(*code);

  message.sid = dice_.Sid("SM");
  const std::string text =
      content.empty() ? message.body : std::string(Find(call.form, "ContentVariables"));
  const bool whatsapp = message.to.starts_with("whatsapp:");
  phones_.Deliver({.operation = "CreateMessage",
                   .to = whatsapp ? message.to.substr(9) : message.to,
                   .channel = whatsapp ? "whatsapp" : "sms",
                   .text = text,
                   .code = CodeIn(text),
                   .sid = message.sid,
                   .attempt_sid = {},
                   .service_sid = message.service,
                   .attempt_id = AttemptId(call),
                   .traceparent = call.traceparent,
                   .validity = validity,
                   .received_at = message.created});
  by_sid_[message.sid] = messages_.size();
  by_phone_[message.to].push_back(messages_.size());
  messages_.push_back(std::move(message));
  return {.status = 201, .body = Show(messages_.back()).dump()};
}

Reply Messages::Fetch(const std::string& sid, const Call& call) const {
  const auto found = by_sid_.find(sid);
  if (found == by_sid_.end()) return NotFound(call.path);
  return {.status = 200, .body = Show(messages_[found->second]).dump()};
}

Reply Messages::List(const Call& call) const {
  const std::string to(Find(call.query, "To"));
  const std::string_view from = Find(call.query, "From");
  // Nothing is ever sent here, so a filter on the date of sending matches nothing.
  const bool by_date = std::ranges::any_of(
      call.query, [](const auto& field) { return field.first.starts_with("DateSent"); });
  auto found = nlohmann::json::array();
  const auto add = [&](const Message& message) {
    if (!by_date && (from.empty() || message.from == from)) found.push_back(Show(message));
  };
  if (to.empty()) {
    for (auto message = messages_.rbegin(); message != messages_.rend(); ++message) add(*message);
  } else if (const auto rows = by_phone_.find(to); rows != by_phone_.end()) {
    for (auto row = rows->second.rbegin(); row != rows->second.rend(); ++row) add(messages_[*row]);
  }
  const Page page = PageOf(found, call);
  const auto start = page.number * page.size;
  const nlohmann::json body = {
      {"messages", page.rows},
      {"page", page.number},
      {"page_size", page.size},
      {"start", start},
      {"end", page.rows.empty() ? start : start + static_cast<int>(page.rows.size()) - 1},
      {"uri", page.own},
      {"first_page_uri", page.first},
      {"previous_page_uri", page.previous},
      {"next_page_uri", page.next}};
  return {.status = 200, .body = body.dump()};
}

nlohmann::json Messages::Show(const Message& message) const {
  const auto or_null = [](const std::string& text) {
    return text.empty() ? nlohmann::json() : nlohmann::json(text);
  };
  const std::string uri = "/2010-04-01/Accounts/" + account_sid_ + "/Messages/" + message.sid;
  const bool pooled = !message.service.empty();
  return {{"sid", message.sid},
          {"account_sid", account_sid_},
          {"api_version", "2010-04-01"},
          {"body", message.body},
          {"date_created", ToRfc2822(message.created)},
          {"date_updated", ToRfc2822(message.created)},
          {"date_sent", nullptr},
          {"direction", "outbound-api"},
          {"error_code", nullptr},
          {"error_message", nullptr},
          {"from", or_null(message.from)},
          {"to", message.to},
          {"messaging_service_sid", or_null(message.service)},
          {"num_media", "0"},
          {"num_segments", pooled ? "0" : Segments(message.body)},
          {"price", nullptr},
          {"price_unit", nullptr},
          {"status", pooled ? "accepted" : "queued"},
          {"subresource_uris", {{"media", uri + "/Media.json"}}},
          {"uri", uri + ".json"}};
}

void Messages::Clear() {
  messages_.clear();
  by_sid_.clear();
  by_phone_.clear();
}

}  // namespace countersign::twilio_fake
