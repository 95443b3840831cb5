#pragma once
// What Kafka refused for good, and which event is to blame. A request that is refused may hold many
// events, and Kafka does not say which one it means: so they are sent again one by one, until one
// is refused that had nothing beside it. Knows no cluster, so that every order can be tried.
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace countersign::relay {

class Refusals {
 public:
  struct Refusal {
    std::string why;
    bool whole_topic = false;  // what is refused is not this event alone
  };

  // An event was refused, perhaps only for what was in the same request. `in_flight`: the events
  // that were not acknowledged then, it among them.
  void Suspect(std::string_view event_id, Refusal refusal, std::size_t in_flight);
  // What was sent since the last time comes again, from its beginning.
  void BeginAgain();
  // Asked of each event before it is sent, with the number of those that are not acknowledged.
  // False if it must wait until their fate is known.
  [[nodiscard]] bool MayGo(std::string_view event_id, std::size_t in_flight);
  // It is parked: nobody is suspected in its place.
  void Forget(std::string_view event_id);

  // Every event of that topic is refused, until it is tried again. The first reason stays.
  void RefuseTopic(std::string_view topic, const std::string& why);
  void TryAgain(std::string_view topic);

  // Why that event is known to be refused; empty if it is not.
  [[nodiscard]] std::optional<Refusal> Find(std::string_view topic,
                                            std::string_view event_id) const;

 private:
  struct Suspected {
    std::string event_id;
    Refusal refusal;
    bool refused_alone = false;  // so it is its own fault
    // From the suspect on so many events are sent one by one: as many as may have been in the
    // request.
    std::size_t to_send_alone = 0;
    bool reached = false;
    std::string alone{};  // the one on its way
  };

  std::optional<Suspected> suspect_;
  std::map<std::string, std::string, std::less<>> topics_;  // that are refused, and why
};

}  // namespace countersign::relay
