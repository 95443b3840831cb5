#include "libs/rpc/server.h"

namespace countersign::rpc {

bool IsLoopback(std::string_view address) {
  if (address.starts_with("unix:")) return true;
  std::string_view host = address;
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else if (host.find(':') == host.rfind(':')) {
    host = host.substr(0, host.find(':'));  // more than one colon: a bare IPv6 address
  }
  if (host == "localhost" || host == "::1") return true;
  // A name such as 127.example.com must not pass for an address.
  return host.starts_with("127.") &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace countersign::rpc
