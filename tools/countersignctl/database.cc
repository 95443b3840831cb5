#include "tools/countersignctl/database.h"

#include <stdexcept>

namespace countersign::ctl {

pg::Connection ConnectDatabase(const Arguments& arguments) {
  const std::string conninfo = arguments.Required(kDatabase.name);
  if (const auto fault = pg::RequireTlsOffLoopback(conninfo); !fault.empty()) throw Failure(fault);
  return pg::Connection({.conninfo = Secret(conninfo),
                         .application_name = "countersignctl",
                         .lock_timeout = std::chrono::seconds(10),
                         .statement_timeout = std::chrono::milliseconds(0)});
}

}  // namespace countersign::ctl
