#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace countersign::ctl {

// The value of a metric without labels on http://<address>/metrics; empty if the process does not
// answer within a second or has no such metric.
[[nodiscard]] std::optional<double> ReadMetric(const std::string& address, std::string_view name);

// The same of a page that was read already.
[[nodiscard]] std::optional<double> FindMetric(std::string_view page, std::string_view name);

}  // namespace countersign::ctl
