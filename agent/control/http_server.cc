#include "agent/control/http_server.h"

#include <algorithm>
#include <charconv>
#include <list>
#include <optional>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

namespace rad {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr milliseconds kAcceptPause{100};
constexpr milliseconds kLingerTime{1000};
constexpr std::size_t kLingerBytes = 256U << 10U;
constexpr std::size_t kReadBytes = 4096;

/// One client. Registered in the server's list while it lives.
struct Session {
  Session(tcp::socket client, std::list<Session*>& all_sessions)
      : socket(std::move(client)), timer(socket.get_executor()), sessions(all_sessions) {
    place = sessions.insert(sessions.end(), this);
  }
  ~Session() { sessions.erase(place); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void close() {
    error_code ignored;
    socket.close(ignored);
    timer.cancel();
  }

  tcp::socket socket;
  asio::steady_timer timer;
  boost::beast::flat_buffer buffer;
  bool timed_out = false;
  bool answering = false;
  std::list<Session*>& sessions;
  std::list<Session*>::iterator place;
};

/// Cancels what the session waits for when `limit` is over; a later call replaces an earlier one.
void arm(const std::shared_ptr<Session>& session, milliseconds limit) {
  session->timed_out = false;
  session->timer.expires_after(limit);
  session->timer.async_wait([weak = std::weak_ptr(session)](error_code error) {
    const auto late = weak.lock();
    if (error || !late) return;
    // The timer may have been set anew after this call was queued.
    if (late->timer.expiry() > asio::steady_timer::clock_type::now()) return;
    late->timed_out = true;
    error_code ignored;
    late->socket.cancel(ignored);
  });
}

std::string_view view(boost::core::string_view text) {
  return {text.data(), text.size()};
}

HttpRequest to_request(http::request<http::string_body>& message) {
  std::string_view target = view(message.target());
  // The absolute form, as proxies send it.
  if (const auto scheme = target.find("://");
      !target.starts_with('/') && scheme != std::string_view::npos) {
    const auto slash = target.find('/', scheme + 3);
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  const auto question = target.find('?');
  HttpRequest request;
  request.method = view(message.method_string());
  request.path = target.substr(0, question);
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  request.body = std::move(message.body());
  return request;
}

HttpResponse plain(unsigned status, std::string_view text) {
  HttpResponse response;
  response.status = status;
  response.body = std::string(text) + "\n";
  return response;
}

/// What to tell a client whose request could not be read; nothing when nobody listens.
std::optional<HttpResponse> answer_to_bad_request(const error_code& error, bool timed_out,
                                                  bool began) {
  if (timed_out) {
    if (!began) return std::nullopt;
    return plain(408, "the request took too long to arrive");
  }
  if (error == http::error::header_limit)
    return plain(431, "the header of the request is too long");
  if (error == http::error::body_limit) return plain(413, "the body of the request is too long");
  if (error == http::error::end_of_stream || error == http::error::partial_message) {
    return std::nullopt;
  }
  if (error.category() == make_error_code(http::error::bad_target).category()) {
    return plain(400, "this is not an HTTP/1.1 request: " + error.message());
  }
  return std::nullopt;
}

}  // namespace

struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
  Impl(asio::any_io_executor on, tcp::endpoint where, HttpHandler answer, HttpLimits bounds)
      : executor(std::move(on)),
        endpoint(std::move(where)),
        handler(std::move(answer)),
        limits(bounds),
        acceptor(executor),
        pause(executor) {}

  asio::awaitable<void> accept_clients();
  asio::awaitable<void> serve(std::shared_ptr<Session> session);
  asio::awaitable<bool> read_first_byte(std::shared_ptr<Session> session, bool first);
  asio::awaitable<bool> serve_one(std::shared_ptr<Session> session);
  asio::awaitable<bool> write(std::shared_ptr<Session> session, HttpResponse response,
                              unsigned version, bool keep_alive, bool head);
  asio::awaitable<void> linger(std::shared_ptr<Session> session);
  HttpResponse call_handler(const HttpRequest& request);
  bool take(tcp::socket socket);
  bool make_room();

  asio::any_io_executor executor;
  tcp::endpoint endpoint;
  HttpHandler handler;
  HttpLimits limits;
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  std::list<Session*> sessions;  // oldest first
  std::uint16_t port = 0;
  bool stopped = false;
};

asio::awaitable<void> HttpServer::Impl::accept_clients() {
  while (!stopped) {
    auto [error, socket] = co_await acceptor.async_accept(kAwait);
    if (stopped) co_return;
    if (!error && take(std::move(socket))) continue;
    // Out of descriptors or memory, mostly: the next try must not come at once.
    make_room();
    pause.expires_after(kAcceptPause);
    co_await pause.async_wait(kAwait);
  }
}

/// \return false when there is no memory for the client.
bool HttpServer::Impl::take(tcp::socket socket) {
  try {
    if (sessions.size() >= limits.connections && !make_room()) {
      constexpr std::string_view kBusy =
          "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
      error_code ignored;
      socket.non_blocking(true, ignored);
      socket.write_some(asio::buffer(kBusy), ignored);
      return true;
    }
    auto session = std::make_shared<Session>(std::move(socket), sessions);
    asio::co_spawn(executor, serve(std::move(session)), asio::detached);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

/// Disconnects the client that has been there longest without being answered, so that clients who
/// only sit there cannot shut out those who ask.
bool HttpServer::Impl::make_room() {
  const auto oldest = std::find_if(sessions.begin(), sessions.end(), [](const Session* session) {
    return !session->answering && session->socket.is_open();
  });
  if (oldest == sessions.end()) return false;
  (*oldest)->close();
  return true;
}

asio::awaitable<void> HttpServer::Impl::serve(std::shared_ptr<Session> session) {
  const auto self = shared_from_this();
  try {
    for (bool first = true; !stopped; first = false) {
      if (!co_await read_first_byte(session, first)) break;
      if (!co_await serve_one(session)) break;
    }
  } catch (const std::exception&) {
    // Out of memory for this client: the others go on.
  }
  session->close();
}

asio::awaitable<bool> HttpServer::Impl::read_first_byte(std::shared_ptr<Session> session,
                                                        bool first) {
  if (session->buffer.size() != 0) co_return true;
  arm(session, first ? limits.request_time : limits.idle_time);
  const auto [error, size] =
      co_await session->socket.async_read_some(session->buffer.prepare(kReadBytes), kAwait);
  session->buffer.commit(size);
  co_return !error && !stopped;
}

asio::awaitable<bool> HttpServer::Impl::serve_one(std::shared_ptr<Session> session) {
  arm(session, limits.request_time);
  http::request_parser<http::string_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(limits.header_bytes));
  parser.body_limit(limits.body_bytes);
  const auto [error, size] =
      co_await http::async_read(session->socket, session->buffer, parser, kAwait);
  if (stopped || !session->socket.is_open()) co_return false;
  session->answering = true;
  if (error) {
    if (const auto answer = answer_to_bad_request(error, session->timed_out, true)) {
      if (co_await write(session, *answer, 11, false, false)) co_await linger(session);
    }
    co_return false;
  }
  auto message = parser.release();
  const bool head = message.method() == http::verb::head;
  const bool keep_alive = message.keep_alive();
  const unsigned version = message.version();
  const bool written =
      co_await write(session, call_handler(to_request(message)), version, keep_alive, head);
  session->answering = false;
  co_return written&& keep_alive;
}

HttpResponse HttpServer::Impl::call_handler(const HttpRequest& request) {
  try {
    HttpResponse response = handler(request);
    if (response.status >= 200 && response.status <= 599) return response;
  } catch (const std::exception&) {
    // What a bug has to say is for the log of whoever made it, not for the client.
  }
  return plain(500, "internal error");
}

asio::awaitable<bool> HttpServer::Impl::write(std::shared_ptr<Session> session,
                                              HttpResponse response, unsigned version,
                                              bool keep_alive, bool head) {
  arm(session, limits.response_time);
  http::response<http::string_body> message;
  message.result(response.status);
  message.version(version);
  message.keep_alive(keep_alive);
  message.set(http::field::content_type, response.content_type);
  message.set("X-Content-Type-Options", "nosniff");
  message.content_length(response.body.size());
  if (!head) message.body() = std::move(response.body);
  http::response_serializer<http::string_body> serializer(message);
  error_code failed;
  if (head) {
    const auto [error, size] =
        co_await http::async_write_header(session->socket, serializer, kAwait);
    failed = error;
  } else {
    const auto [error, size] = co_await http::async_write(session->socket, serializer, kAwait);
    failed = error;
  }
  co_return !failed && !stopped;
}

/// A close with input unread would take the answer back before the client has seen it.
asio::awaitable<void> HttpServer::Impl::linger(std::shared_ptr<Session> session) {
  session->answering = false;
  error_code ignored;
  session->socket.shutdown(tcp::socket::shutdown_send, ignored);
  arm(session, kLingerTime);
  session->buffer.clear();
  for (std::size_t seen = 0; seen < kLingerBytes;) {
    const auto [error, size] =
        co_await session->socket.async_read_some(session->buffer.prepare(kReadBytes), kAwait);
    if (error || stopped) co_return;
    seen += size;
  }
}

HttpServer::HttpServer(asio::any_io_executor executor, tcp::endpoint endpoint, HttpHandler handler,
                       HttpLimits limits)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(endpoint), std::move(handler),
                                   limits)) {}

HttpServer::~HttpServer() {
  stop();
}

Status HttpServer::start() {
  error_code error;
  const auto refuse = [&](std::string_view what) {
    const std::string where =
        fmt::format("{}:{}", impl_->endpoint.address().to_string(), impl_->endpoint.port());
    return fail(Reason::host_unfit, fmt::format("cannot {} {}: {}", what, where, error.message()),
                error == asio::error::address_in_use
                    ? fmt::format("`ss -ltnp 'sport = :{}'` shows who has it; choose another "
                                  "address with agent.metrics.listen",
                                  impl_->endpoint.port())
                    : std::string("choose another address with agent.metrics.listen"),
                where);
  };
  auto& acceptor = impl_->acceptor;
  acceptor.open(impl_->endpoint.protocol(), error);
  if (error) return refuse("make a socket for");
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  acceptor.bind(impl_->endpoint, error);
  if (error) return refuse("listen on");
  acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error) return refuse("listen on");
  impl_->port = acceptor.local_endpoint(error).port();
  asio::co_spawn(
      impl_->executor,
      [impl = impl_]() -> asio::awaitable<void> { co_await impl->accept_clients(); },
      asio::detached);
  return {};
}

void HttpServer::stop() {
  if (impl_->stopped) return;
  impl_->stopped = true;
  error_code ignored;
  impl_->acceptor.close(ignored);
  impl_->pause.cancel();
  for (Session* session : impl_->sessions) session->close();
}

std::uint16_t HttpServer::port() const noexcept {
  return impl_->port;
}

Result<tcp::endpoint> resolve_listen_address(std::string_view text) {
  const auto wrong = [&] {
    return fail(Reason::config_invalid, fmt::format("'{}' is not an address to listen on", text),
                "write ADDRESS:PORT, e.g. 127.0.0.1:9735 or [::1]:9735", std::string(text));
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return wrong();
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, number_error] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (number_error != std::errc() || end != port_text.data() + port_text.size()) return wrong();
  const bool bracketed = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  error_code error;
  const auto address = asio::ip::make_address(std::string(host), error);
  if (error || address.is_v6() != bracketed) return wrong();
  return tcp::endpoint(address, port);
}

}  // namespace rad
