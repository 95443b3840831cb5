#pragma once
#include <chrono>
#include <string>

#include "libs/http/client.h"
#include "libs/http/handles.h"

namespace countersign::http {

// One request from its start to its outcome. Lives on the client's thread; does not move, since
// libcurl holds its address.
class Transfer {
 public:
  // Throws std::runtime_error if libcurl has no memory.
  Transfer(Request request, Deadline deadline, Done done, const Settings& settings);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  [[nodiscard]] CURL* easy() const { return easy_.get(); }
  void Finish(CURLcode code);
  void Abandon();  // kStopped

 private:
  template <typename Value>
  void Set(CURLoption option, Value value);
  void SetRequest();
  void SetLimits(const Settings& settings, Deadline deadline);
  void SetCallbacks();
  void AddHeader(const std::string& line);
  void Answer(Outcome outcome);

  static int OnAboutToSend(void* self, char*, char*, int, int);
  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self);

  EasyHandle easy_;
  ListHandle header_lines_;
  Request request_;  // libcurl reads the body from here
  Done done_;
  std::size_t max_body_;
  std::chrono::steady_clock::time_point started_;
  Response response_;
  std::size_t header_bytes_ = 0;
  int times_sent_ = 0;
  bool too_large_ = false;
};

}  // namespace countersign::http
