#pragma once
// The fake inside a C++ test, on a thread of its own. Tests look and steer over HTTP, as everybody
// else does.
#include <string>
#include <thread>
#include <vector>

#include "tests/fakes/twilio/options.h"
#include "tests/fakes/twilio/server.h"

namespace countersign::twilio_fake {

class RunningFake {
 public:
  // Takes the options of the binary.
  explicit RunningFake(const std::vector<std::string>& arguments = {})
      : options_(ParseOptions(arguments)),
        server_(options_.host, options_.port),
        url_("http://127.0.0.1:" + std::to_string(server_.port())),
        service_(WithUrl(options_.service, url_)),
        thread_([this] { server_.Run(service_); }) {}
  ~RunningFake() { server_.Stop(); }
  RunningFake(const RunningFake&) = delete;
  RunningFake& operator=(const RunningFake&) = delete;

  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] const std::string& account_sid() const {
    return options_.service.verify.account_sid;
  }
  [[nodiscard]] const std::string& password() const {
    return options_.service.credentials.back().second;
  }
  [[nodiscard]] const std::vector<std::string>& services() const {
    return options_.service.verify.service_sids;
  }

 private:
  [[nodiscard]] static ServiceSettings WithUrl(ServiceSettings settings, const std::string& url) {
    settings.verify.base_url = url;
    return settings;
  }

  Options options_;
  Server server_;
  std::string url_;
  Service service_;
  std::jthread thread_;
};

}  // namespace countersign::twilio_fake
