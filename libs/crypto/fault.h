#pragma once
#include <stdexcept>
#include <string>

namespace countersign::crypto {

// OpenSSL refused to do what it always does: out of memory or a broken installation. The text names
// the step, never a key, a message or a token.
class CryptoFault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace countersign::crypto
