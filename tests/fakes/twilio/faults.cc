#include "tests/fakes/twilio/faults.h"

#include <fnmatch.h>

#include <functional>
#include <map>
#include <stdexcept>

#include "tests/fakes/twilio/errors.h"

namespace countersign::twilio_fake {
namespace {

using nlohmann::json;

Moment ParseMoment(const json& value) {
  if (value == "before") return Moment::kBefore;
  if (value == "after") return Moment::kAfter;
  throw std::invalid_argument("a moment is \"before\" or \"after\" (the effect)");
}

std::chrono::milliseconds ParseMilliseconds(const json& value) {
  if (!value.is_number() || value < 0) throw std::invalid_argument("a time is milliseconds >= 0");
  return std::chrono::milliseconds(value.get<std::int64_t>());
}

std::string ParseBody(const json& value) {
  if (value != "html" && value != "empty" && value != "truncated") {
    throw std::invalid_argument("body is \"html\", \"empty\" or \"truncated\"");
  }
  return value.get<std::string>();
}

}  // namespace

Faults::Rule Faults::Parse(const json& text) {
  if (!text.is_object()) throw std::invalid_argument("a rule is a JSON object");
  Rule rule;
  rule.text = text;
  Fault& fault = rule.fault;
  const std::map<std::string, std::function<void(const json&)>> fields = {
      {"operation", [&](const json& v) { rule.operation = v.get<std::string>(); }},
      {"to", [&](const json& v) { rule.to = v.get<std::string>(); }},
      {"skip", [&](const json& v) { rule.skip = v.get<std::int64_t>(); }},
      {"count", [&](const json& v) { rule.count = v.get<std::int64_t>(); }},
      {"probability", [&](const json& v) { rule.probability = v.get<double>(); }},
      {"seed", [&](const json& v) { rule.dice.seed(v.get<std::uint64_t>()); }},
      {"latency_ms", [&](const json& v) { fault.latency = ParseMilliseconds(v); }},
      {"latency_after_ms", [&](const json& v) { fault.latency_after = ParseMilliseconds(v); }},
      {"status", [&](const json& v) { fault.status = v.get<int>(); }},
      {"code", [&](const json& v) { fault.code = v.get<int>(); }},
      {"effect", [&](const json& v) { fault.answer_with = ParseMoment(v); }},
      {"retry_after",
       [&](const json& v) { fault.retry_after = v.is_string() ? v.get<std::string>() : v.dump(); }},
      {"headers",
       [&](const json& v) {
         for (const auto& [name, text_of] : v.items()) {
           fault.headers.emplace_back(name, text_of.get<std::string>());
         }
       }},
      {"drop", [&](const json& v) { fault.drop = ParseMoment(v); }},
      {"reset", [&](const json& v) { fault.reset = v.get<bool>(); }},
      {"close_silently", [&](const json& v) { fault.keep_open_lie = v.get<bool>(); }},
      {"refuse_ms", [&](const json& v) { fault.refuse = ParseMilliseconds(v); }},
      {"body", [&](const json& v) { fault.body = ParseBody(v); }},
      {"malformed_sid", [&](const json& v) { fault.malformed_sid = v.get<bool>(); }},
  };
  for (const auto& [name, value] : text.items()) {
    const auto field = fields.find(name);
    if (field == fields.end()) throw std::invalid_argument("unknown field: " + name);
    try {
      field->second(value);
    } catch (const std::exception& fault_of_value) {
      throw std::invalid_argument(name + ": " + fault_of_value.what());
    }
  }
  if (fault.status != 0 && fault.answer_with == Moment::kNever) {
    fault.answer_with = Moment::kBefore;
  }
  return rule;
}

json Faults::Add(const json& rules) {
  std::vector<Rule> parsed;
  if (rules.is_array()) {
    for (const auto& rule : rules) parsed.push_back(Parse(rule));
  } else {
    parsed.push_back(Parse(rules));
  }
  auto ids = json::array();
  for (auto& rule : parsed) {
    rule.id = ++last_id_;
    ids.push_back(rule.id);
    rules_.push_back(std::move(rule));
  }
  return {{"ids", std::move(ids)}};
}

json Faults::List() const {
  auto rules = json::array();
  for (const auto& rule : rules_) {
    rules.push_back(
        {{"id", rule.id}, {"rule", rule.text}, {"seen", rule.seen}, {"used", rule.used}});
  }
  return {{"rules", std::move(rules)}};
}

std::optional<Fault> Faults::Match(std::string_view operation, std::string_view to) {
  for (auto& rule : rules_) {
    if (fnmatch(rule.operation.c_str(), std::string(operation).c_str(), 0) != 0) continue;
    if (fnmatch(rule.to.c_str(), std::string(to).c_str(), 0) != 0) continue;
    if (++rule.seen <= rule.skip) continue;
    if (rule.count >= 0 && rule.used >= rule.count) continue;
    if (std::uniform_real_distribution<double>(0, 1)(rule.dice) >= rule.probability) continue;
    ++rule.used;
    return rule.fault;
  }
  return std::nullopt;
}

Reply Spoil(const Fault& fault, Reply reply) {
  if (fault.answer_with != Moment::kNever) {
    const int code = fault.code != 0 ? fault.code : fault.status == 429 ? 20429 : 20500;
    reply = fault.status == 0 ? ErrorReply(code)
                              : ErrorReply(fault.status, code, "Fault set by the test");
  }
  if (!fault.retry_after.empty()) reply.headers.emplace_back("Retry-After", fault.retry_after);
  for (const auto& header : fault.headers) reply.headers.push_back(header);
  if (fault.body == "html") reply.body = "<html><body><h1>Bad gateway</h1></body></html>";
  if (fault.body == "empty") reply.body.clear();
  if (fault.body == "truncated") reply.body.resize(reply.body.size() / 2);
  if (fault.malformed_sid) {
    auto body = json::parse(reply.body, nullptr, false);
    if (body.is_object() && body.contains("sid")) {
      body["sid"] = body["sid"].get<std::string>().substr(0, 33) + "!";
      reply.body = body.dump();
    }
  }
  return reply;
}

}  // namespace countersign::twilio_fake
