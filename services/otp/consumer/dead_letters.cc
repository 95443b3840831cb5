#include "services/otp/consumer/dead_letters.h"

#include <utility>

namespace countersign::otp {
namespace {

constexpr std::chrono::milliseconds kPause{1'000};

kafka::Headers HeadersOf(const DeadLetter& letter) {
  kafka::Headers headers(letter.headers.size() + 4);
  for (const auto& [name, value] : letter.headers) headers.Add(name, value);
  headers.Add("dlt_why", letter.why);
  headers.Add("dlt_topic", letter.topic);
  headers.Add("dlt_partition", std::to_string(letter.partition));
  headers.Add("dlt_offset", std::to_string(letter.offset));
  return headers;
}

}  // namespace

DeadLetter ToDeadLetter(const kafka::Message& message, std::string why) {
  DeadLetter letter{.topic = std::string(message.topic()),
                    .partition = message.partition(),
                    .offset = message.offset(),
                    .key = std::nullopt,
                    .value = std::string(message.value()),
                    .headers = {},
                    .why = std::move(why)};
  if (const auto key = message.key()) letter.key = std::string(*key);
  for (const auto& [name, value] : message.Headers()) letter.headers.emplace_back(name, value);
  return letter;
}

DeadLetters::DeadLetters(kafka::ProducerSettings settings, std::string topic, Observer& observer,
                         const log::Logger& logger)
    : settings_(std::move(settings)),
      topic_(std::move(topic)),
      observer_(observer),
      logger_(logger) {}

DeadLetters::~DeadLetters() = default;

void DeadLetters::Add(DeadLetter letter, std::function<void()> written) {
  const std::lock_guard lock(mutex_);
  added_.push_back({std::move(letter), std::move(written)});
}

void DeadLetters::Work() {
  try {
    if (producer_) producer_->Drain([this](const kafka::Delivery& delivery) { Heard(delivery); });
    Send();
  } catch (const kafka::Fault& fault) {
    producer_.reset();
    Requeue();
    Later(fault.what());
  }
}

void DeadLetters::Send() {
  if (std::chrono::steady_clock::now() < not_before_) return;
  std::deque<Pending> added;
  {
    const std::lock_guard lock(mutex_);
    added.swap(added_);
  }
  auto taken = kafka::Produced::kQueued;
  while (!added.empty()) {
    taken = Produce(added.front());
    if (taken != kafka::Produced::kQueued) break;
    on_their_way_.emplace(next_token_++, std::move(added.front()));
    added.pop_front();
  }
  if (added.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    added_.insert(added_.begin(), std::make_move_iterator(added.begin()),
                  std::make_move_iterator(added.end()));
  }
  // A full queue empties by itself.
  if (taken != kafka::Produced::kQueueFull) Later("topic " + topic_ + " does not take it");
}

kafka::Produced DeadLetters::Produce(Pending& pending) {
  if (!producer_) producer_ = std::make_unique<kafka::Producer>(settings_);
  DeadLetter& letter = pending.letter;
  kafka::Headers headers = HeadersOf(letter);
  const auto produced = producer_->Produce({.topic = topic_,
                                            .key = letter.key.value_or(""),
                                            .value = letter.value,
                                            .token = next_token_},
                                           headers);
  if (produced != kafka::Produced::kTooLarge || letter.value.empty()) return produced;
  // With what is added to it, it is larger than the broker takes: where it lay says dlt_offset.
  letter.value.clear();
  letter.why += "; too large to be put aside with its value";
  return Produce(pending);
}

void DeadLetters::Heard(const kafka::Delivery& delivery) {
  const auto found = on_their_way_.find(delivery.token);
  if (found == on_their_way_.end()) return;
  Pending pending = std::move(found->second);
  on_their_way_.erase(found);
  if (!delivery.ok()) {
    Later(delivery.Reason());
    return Add(std::move(pending.letter), std::move(pending.written));
  }
  observer_.Trouble("dead letters", {});
  observer_.DeadLettered();
  logger_.Warn("a record cannot be read and was put aside",
               {{"why", pending.letter.why},
                {"topic", pending.letter.topic},
                {"partition", pending.letter.partition},
                {"offset", pending.letter.offset}});
  pending.written();
}

void DeadLetters::Later(const std::string& why) {
  not_before_ = std::chrono::steady_clock::now() + kPause;
  observer_.Trouble("dead letters", why);
  logger_.Error("a record that cannot be read cannot be put aside either", {{"why", why}});
}

void DeadLetters::Requeue() {
  const std::lock_guard lock(mutex_);
  for (auto& [token, pending] : on_their_way_) added_.push_back(std::move(pending));
  on_their_way_.clear();
}

}  // namespace countersign::otp
