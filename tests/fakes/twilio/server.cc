#include "tests/fakes/twilio/server.h"

#include <sys/socket.h>

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <stdexcept>

namespace countersign::twilio_fake {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr std::size_t kBodyLimit = 64 * 1024;
constexpr int kBacklog = 4096;

std::string Text(beast::string_view view) { return {view.data(), view.size()}; }

Call ToCall(const http::request<http::string_body>& request) {
  Call call;
  call.method = Text(request.method_string());
  call.raw_target = Text(request.target());
  const auto query = call.raw_target.find('?');
  call.path = PercentDecode(call.raw_target.substr(0, query));
  if (query != std::string::npos) call.query = ParseForm(call.raw_target.substr(query + 1));
  call.content_type = Text(request[http::field::content_type]);
  call.authorization = Text(request[http::field::authorization]);
  call.request_id = Text(request["X-Request-Id"]);
  call.traceparent = Text(request["traceparent"]);
  call.body = request.body();
  if (call.content_type.starts_with("application/x-www-form-urlencoded")) {
    call.form = ParseForm(call.body);
  }
  return call;
}

http::response<http::string_body> ToResponse(Reply reply, bool keep_alive) {
  http::response<http::string_body> response;
  response.version(11);
  response.result(static_cast<unsigned>(reply.status));
  response.set(http::field::content_type, "application/json;charset=utf-8");
  for (const auto& [name, value] : reply.headers) response.set(name, value);
  response.keep_alive(keep_alive);
  response.body() = std::move(reply.body);
  response.prepare_payload();
  return response;
}

void Reset(tcp::socket& socket) {
  boost::system::error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

}  // namespace

class Server::Loop {
 public:
  Loop(const std::string& host, std::uint16_t port) : acceptor_(io_) {
    const auto address = asio::ip::make_address(host);
    if (!address.is_loopback()) {
      throw std::invalid_argument("the fake listens on loopback only, not on " + host);
    }
    endpoint_ = {address, port};
    Listen();
    endpoint_ = acceptor_.local_endpoint();
  }

  [[nodiscard]] std::uint16_t port() const { return endpoint_.port(); }

  void Run(Service& service) {
    service_ = &service;
    asio::co_spawn(io_, Accept(), asio::detached);
    io_.run();
  }

  void Stop() { io_.stop(); }

 private:
  void Listen() {
    acceptor_.open(endpoint_.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(endpoint_);
    acceptor_.listen(kBacklog);
  }

  // Somebody else may have taken the port meanwhile; then the next turn tries again.
  void ListenAgain() {
    try {
      Listen();
    } catch (const boost::system::system_error&) {
      boost::system::error_code ignored;
      acceptor_.close(ignored);
    }
  }

  asio::awaitable<void> Accept() {
    while (true) {
      boost::system::error_code fault;
      tcp::socket socket =
          co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, fault));
      if (!fault) {
        asio::co_spawn(io_, Serve(std::move(socket)), asio::detached);
        continue;
      }
      // Either a rule closed the listener for a while, or descriptors ran out.
      const auto pause = acceptor_.is_open() ? std::chrono::milliseconds(10) : refuse_for_;
      co_await Sleep(pause);
      if (!acceptor_.is_open()) ListenAgain();
    }
  }

  asio::awaitable<void> Sleep(std::chrono::milliseconds duration) {
    asio::steady_timer timer(io_, duration);
    co_await timer.async_wait(asio::use_awaitable);
  }

  asio::awaitable<void> Serve(tcp::socket socket) {
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    beast::flat_buffer buffer;
    bool open = true;
    while (open) {
      http::request_parser<http::string_body> parser;
      parser.body_limit(kBodyLimit);
      boost::system::error_code fault;
      co_await http::async_read(socket, buffer, parser,
                                asio::redirect_error(asio::use_awaitable, fault));
      if (fault) break;
      open = co_await Answer(socket, parser.get());
    }
    socket.shutdown(tcp::socket::shutdown_both, ignored);
  }

  // False when the connection is over.
  asio::awaitable<bool> Answer(tcp::socket& socket,
                               const http::request<http::string_body>& request) {
    const Call call = ToCall(request);
    if (auto admin = service_->Admin(call)) {
      co_return co_await Write(socket, std::move(*admin), request.keep_alive());
    }
    const auto ticket = service_->Begin(call);
    const Fault fault = ticket.fault.value_or(Fault{});
    if (ticket.latency.count() > 0) co_await Sleep(ticket.latency);
    Reply reply;
    const bool takes_effect = fault.drop != Moment::kBefore && fault.answer_with != Moment::kBefore;
    if (takes_effect) reply = service_->Perform(ticket, call);
    if (fault.latency_after.count() > 0) co_await Sleep(fault.latency_after);
    service_->End(ticket);
    if (ticket.fault) reply = Spoil(fault, std::move(reply));
    if (fault.drop != Moment::kNever) {
      Drop(socket, fault);
      co_return false;
    }
    const bool open = co_await Write(socket, std::move(reply), request.keep_alive());
    co_return open && !fault.keep_open_lie;
  }

  void Drop(tcp::socket& socket, const Fault& fault) {
    if (fault.refuse.count() > 0) {
      refuse_for_ = fault.refuse;
      boost::system::error_code ignored;
      acceptor_.close(ignored);
    }
    if (fault.reset) Reset(socket);
  }

  static asio::awaitable<bool> Write(tcp::socket& socket, Reply reply, bool keep_alive) {
    const auto response = ToResponse(std::move(reply), keep_alive);
    boost::system::error_code fault;
    co_await http::async_write(socket, response, asio::redirect_error(asio::use_awaitable, fault));
    co_return !fault && keep_alive;
  }

  asio::io_context io_{1};
  tcp::endpoint endpoint_;
  tcp::acceptor acceptor_;
  Service* service_ = nullptr;
  std::chrono::milliseconds refuse_for_{0};
};

Server::Server(const std::string& host, std::uint16_t port)
    : loop_(std::make_unique<Loop>(host, port)) {}
Server::~Server() = default;
std::uint16_t Server::port() const { return loop_->port(); }
void Server::Run(Service& service) { loop_->Run(service); }
void Server::Stop() { loop_->Stop(); }

}  // namespace countersign::twilio_fake
