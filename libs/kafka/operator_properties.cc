#include "libs/kafka/operator_properties.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace countersign::kafka {
namespace {

struct Rule {
  std::string_view property;
  std::string_view why;
  bool (*allows)(std::string_view value) = nullptr;  // no value, if there is none
};

bool IsAll(std::string_view value) { return value == "all" || value == "-1"; }
bool IsTrue(std::string_view value) { return value == "true"; }
// A broker keeps the last five batches of a producer to know a repeated one by.
bool IsOneToFive(std::string_view value) {
  int number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return error == std::errc() && end == value.data() + value.size() && number >= 1 && number <= 5;
}

constexpr std::string_view kOwnKey = "has a key of its own in the configuration";
constexpr std::string_view kTlsChecks = "would leave brokers unchecked";
constexpr std::string_view kLoses = "would let acknowledged events be lost: all";
constexpr std::string_view kDoubles = "would let events be doubled: true";
constexpr std::string_view kReorders =
    "would let events of a key be doubled or change places: 1 to 5";
constexpr std::string_view kSkips =
    "would let an event be skipped and later ones of its key be sent";
constexpr std::string_view kMoves = "would move keys to other partitions";
constexpr std::string_view kForgets = "would pass over records that nobody has handled";
constexpr std::string_view kBlinds = "would hide what became of events";

constexpr std::array kRules = {
    Rule{"bootstrap.servers", kOwnKey},
    Rule{"metadata.broker.list", kOwnKey},
    Rule{"security.protocol", kOwnKey},
    Rule{"group.id", kOwnKey},
    Rule{"enable.ssl.certificate.verification", kTlsChecks},
    Rule{"ssl.endpoint.identification.algorithm", kTlsChecks},
    Rule{"acks", kLoses, IsAll},
    Rule{"request.required.acks", kLoses, IsAll},
    Rule{"enable.idempotence", kDoubles, IsTrue},
    Rule{"max.in.flight", kReorders, IsOneToFive},
    Rule{"max.in.flight.requests.per.connection", kReorders, IsOneToFive},
    Rule{"transactional.id",
         "would take the place of the relay's own, which shuts out its predecessor"},
    Rule{"transaction.timeout.ms", "would end transactions before their events can be in Kafka"},
    Rule{"enable.gapless.guarantee", kSkips, IsTrue},
    Rule{"message.timeout.ms", kSkips},
    Rule{"delivery.timeout.ms", kSkips},
    Rule{"queuing.strategy", "would let events of a key change places"},
    Rule{"partitioner", kMoves},
    Rule{"delivery.report.only.error", kBlinds},
    Rule{"enable.auto.offset.store", kForgets},
    Rule{"auto.commit.enable", kForgets},
    Rule{"enable.auto.commit", kForgets},
    Rule{"auto.offset.reset", kForgets},
    Rule{"isolation.level", "would read records that were taken back"},
};

}  // namespace

std::string WhyRefused(std::string_view property, std::string_view value) {
  const auto* rule = std::ranges::find(kRules, property, &Rule::property);
  if (rule == kRules.end()) return {};
  if (rule->allows == nullptr) {
    return std::string(property) + " cannot be set by hand: it " + std::string(rule->why);
  }
  if (rule->allows(value)) return {};
  return std::string(property) + " may not have this value, which " + std::string(rule->why) +
         " is expected";
}

}  // namespace countersign::kafka
