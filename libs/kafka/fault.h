#pragma once
#include <stdexcept>
#include <string>

namespace countersign::kafka {

// The cluster or the client library failed. `code` is librdkafka's (rd_kafka_resp_err_t).
class Fault : public std::runtime_error {
 public:
  Fault(int code, const std::string& what) : std::runtime_error(what), code_(code) {}
  [[nodiscard]] int code() const { return code_; }
  // The broker refused our credentials or we its certificate.
  [[nodiscard]] bool IsAuthentication() const;
  // Another producer of the same transactional id has come, or the cluster has ended our
  // transaction by itself.
  [[nodiscard]] bool IsFenced() const;

 private:
  int code_;
};

// The handle is dead for good and must be replaced (librdkafka's fatal errors).
class FatalFault final : public Fault {
 public:
  using Fault::Fault;
};

// A setting that can never work: unknown name, bad value, plaintext to another machine.
class SettingsFault final : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace countersign::kafka
