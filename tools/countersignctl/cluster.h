#pragma once
#include <vector>

#include "libs/kafka/settings.h"
#include "tools/countersignctl/command.h"

namespace countersign::ctl {

// Options of every command that talks to Kafka.
[[nodiscard]] std::vector<Option> ClusterOptions(std::vector<Option> more);

// Connection settings from them; the client library is quiet unless it fails. The password comes
// from a file. Throws UsageFault, Failure.
[[nodiscard]] kafka::ClientSettings ClusterSettings(const Arguments& arguments);

}  // namespace countersign::ctl
