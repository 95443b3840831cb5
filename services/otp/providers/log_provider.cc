#include "services/otp/providers/log_provider.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "libs/config/secret_file.h"

namespace countersign::otp::providers {
namespace {

std::string_view Word(Channel channel) {
  switch (channel) {
    case Channel::kWhatsapp:
      return "whatsapp";
    case Channel::kVoice:
      return "voice";
    case Channel::kSms:
      break;
  }
  return "sms";
}

class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600)) {}
  ~OpenFile() {
    if (fd_ >= 0) close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

LogProvider::LogProvider(std::string codes_file, const log::Logger& logger, const Clock& clock)
    : codes_file_(std::move(codes_file)),
      logger_(logger),
      clock_(clock),
      capabilities_{.name = "log",
                    .makes_code = false,
                    .channels = {Channel::kSms, Channel::kWhatsapp, Channel::kVoice}} {}

void LogProvider::Send(SendOrder order, Deadline /*deadline*/, SendDone done) {
  const std::string attempt_id = ToString(order.attempt_id);
  if (!codes_file_.empty()) {
    const nlohmann::json line = {{"at", ToRfc3339(clock_.Now())},
                                 {"attempt_id", attempt_id},
                                 {"purpose", order.purpose},
                                 {"to", order.to.Reveal()},
                                 {"code", order.code.Reveal()}};
    const std::string text =
        line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
    if (auto fault = AppendToFile(text); !fault.empty()) {
      done({.status = SendStatus::kNotSent, .detail = std::move(fault)});
      return;
    }
  }
  logger_.Info("a code would have gone out", {{"provider", capabilities_.name},
                                              {"channel", Word(order.channel)},
                                              {"to", log::RedactedPhone(order.to.Reveal())},
                                              {"purpose", order.purpose},
                                              {"attempt_id", attempt_id}});
  done({.status = SendStatus::kSent, .provider_sid = attempt_id});
}

std::string LogProvider::AppendToFile(const std::string& text) const {
  const OpenFile file(codes_file_);
  if (file.fd() < 0 ||
      write(file.fd(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return std::string("development.codes_file: ") + std::strerror(errno);
  }
  return {};
}

void LogProvider::Check(CheckOrder /*order*/, Deadline /*deadline*/, CheckDone done) {
  done({.status = CheckStatus::kGone, .detail = "provider log makes no codes"});
}

void LogProvider::Cancel(CancelOrder /*order*/, Deadline /*deadline*/, CancelDone done) {
  done(CancelStatus::kDone);
}

Health LogProvider::SelfCheck(Deadline /*deadline*/) {
  logger_.Warn("provider log: no code reaches anybody", {{"codes_file", codes_file_}});
  if (codes_file_.empty()) return {.status = Health::Status::kReady};
  std::string fault = AppendToFile({});
  if (fault.empty()) {
    if (const auto open_to_others = config::SecretFileFault(codes_file_)) {
      fault = "development.codes_file: " + *open_to_others;
    }
  }
  if (fault.empty()) return {.status = Health::Status::kReady};
  return {.status = Health::Status::kMisconfigured, .message = std::move(fault)};
}

}  // namespace countersign::otp::providers
