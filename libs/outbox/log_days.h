#pragma once

namespace countersign::outbox {

// How far the daily partitions of an event log reach, counted from today (UTC).
struct LogDays {
  int ahead = -1;  // days after today on which events can be written; -1: not even today
  int kept = 0;    // age of the oldest day that is over
};

}  // namespace countersign::outbox
