#include "libs/http/transfer.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

namespace countersign::http {
namespace {

constexpr std::size_t kMaxHeaderBytes = 64 * 1024;

Failure FailureOf(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return Failure::kConnect;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return Failure::kTls;
    case CURLE_OPERATION_TIMEDOUT:
      return Failure::kTimeout;
    default:
      return Failure::kBroken;
  }
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace

Transfer::Transfer(Request request, Deadline deadline, Done done, const Settings& settings)
    : easy_(curl_easy_init()),
      request_(std::move(request)),
      done_(std::move(done)),
      max_body_(settings.max_body),
      started_(std::chrono::steady_clock::now()) {
  if (!easy_) throw std::runtime_error("libcurl: no memory for a request");
  SetRequest();
  SetLimits(settings, deadline);
  SetCallbacks();
}

template <typename Value>
void Transfer::Set(CURLoption option, Value value) {
  if (const CURLcode code = curl_easy_setopt(easy_.get(), option, value); code != CURLE_OK) {
    throw std::runtime_error(std::string("libcurl: ") + curl_easy_strerror(code));
  }
}

void Transfer::AddHeader(const std::string& line) {
  curl_slist* longer = curl_slist_append(header_lines_.get(), line.c_str());
  if (longer == nullptr) throw std::runtime_error("libcurl: no memory for a header");
  static_cast<void>(header_lines_.release());
  header_lines_.reset(longer);
}

void Transfer::SetRequest() {
  Set(CURLOPT_URL, request_.url.c_str());
  for (const auto& header : request_.headers) AddHeader(header.name + ": " + header.value);
  if (request_.method == Method::kPost) {
    AddHeader("Expect:");  // no 100-continue: it would only add a round trip
    Set(CURLOPT_POST, 1L);
    Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.Reveal().size()));
    Set(CURLOPT_POSTFIELDS, request_.body.Reveal().data());
  }
  if (header_lines_) Set(CURLOPT_HTTPHEADER, header_lines_.get());
  if (request_.basic) {
    Set(CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    Set(CURLOPT_USERNAME, request_.basic->user.c_str());
    Set(CURLOPT_PASSWORD, request_.basic->password.Reveal().c_str());
  }
}

void Transfer::SetLimits(const Settings& settings, Deadline deadline) {
  Set(CURLOPT_NOSIGNAL, 1L);
  Set(CURLOPT_PROTOCOLS_STR, "http,https");
  // On HTTP/2 one dying connection would put every request on it in doubt.
  Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Set(CURLOPT_FOLLOWLOCATION, 0L);
  Set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  Set(CURLOPT_PROXY, settings.proxy.c_str());
  Set(CURLOPT_USERAGENT, settings.user_agent.c_str());
  if (!settings.ca_file.empty()) Set(CURLOPT_CAINFO, settings.ca_file.c_str());
  Set(CURLOPT_MAXAGE_CONN, static_cast<long>(settings.max_idle.count()));
  Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings.connect_timeout.count()));
  // libcurl reads 0 as "no limit".
  const auto left = std::max(TimeLeft(deadline), std::chrono::milliseconds(1));
  Set(CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
}

void Transfer::SetCallbacks() {
  Set(CURLOPT_PRIVATE, static_cast<void*>(this));
  Set(CURLOPT_PREREQFUNCTION, &Transfer::OnAboutToSend);
  Set(CURLOPT_PREREQDATA, static_cast<void*>(this));
  Set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
  Set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  Set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
  Set(CURLOPT_HEADERDATA, static_cast<void*>(this));
}

// Runs when a connection is ready and nothing was written to it yet.
int Transfer::OnAboutToSend(void* self, char* /*peer*/, char* /*own*/, int /*peer_port*/,
                            int /*own_port*/) {
  auto& transfer = *static_cast<Transfer*>(self);
  ++transfer.times_sent_;
  const bool again = transfer.times_sent_ > 1;
  return again && transfer.request_.method != Method::kGet ? CURL_PREREQFUNC_ABORT
                                                           : CURL_PREREQFUNC_OK;
}

std::size_t Transfer::OnBody(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::size_t bytes = size * count;
  if (transfer.response_.body.size() + bytes > transfer.max_body_) {
    transfer.too_large_ = true;
    return 0;
  }
  transfer.response_.body.append(data, bytes);
  return bytes;
}

std::size_t Transfer::OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::size_t bytes = size * count;
  transfer.header_bytes_ += bytes;
  if (transfer.header_bytes_ > kMaxHeaderBytes) {
    transfer.too_large_ = true;
    return 0;
  }
  const std::string_view line(data, bytes);
  const auto colon = line.find(':');
  if (line.starts_with("HTTP/")) {
    transfer.response_.headers.clear();  // the headers of an interim answer
  } else if (colon != std::string_view::npos) {
    transfer.response_.headers.push_back({.name = std::string(Trim(line.substr(0, colon))),
                                          .value = std::string(Trim(line.substr(colon + 1)))});
  }
  return bytes;
}

void Transfer::Finish(CURLcode code) {
  Outcome outcome;
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    response_.status = static_cast<int>(status);
    outcome.response = std::move(response_);
  } else {
    outcome.failure = too_large_ ? Failure::kTooLarge : FailureOf(code);
    outcome.detail = curl_easy_strerror(code);
  }
  Answer(std::move(outcome));
}

void Transfer::Abandon() {
  Answer({.response = {},
          .maybe_sent = false,
          .failure = Failure::kStopped,
          .detail = "the client stops",
          .duration = {}});
}

void Transfer::Answer(Outcome outcome) {
  outcome.maybe_sent = times_sent_ > 0;
  outcome.duration = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - started_);
  done_(std::move(outcome));
}

}  // namespace countersign::http
