#include "agent/control/http_server.h"

#include <array>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "agent/control/http_session.h"

namespace rad {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr milliseconds kAcceptPause{100};
constexpr int kAcceptBatch = 64;
constexpr milliseconds kLingerTime{1000};

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
  request.last_event_id = view(message["Last-Event-ID"]);
  request.body = std::move(message.body());
  return request;
}

HttpResponse plain(unsigned status, std::string_view text) {
  HttpResponse response;
  response.status = status;
  response.body = std::string(text) + "\n";
  return response;
}

struct BadRequest {
  unsigned status;
  std::string text;
};

/// What to tell a client whose request could not be read; nothing when nobody listens.
std::optional<BadRequest> judge(const error_code& error, bool timed_out) {
  if (timed_out) return BadRequest{408, "the request took too long to arrive"};
  if (error == http::error::header_limit) {
    return BadRequest{431, "the header of the request is too long"};
  }
  if (error == http::error::body_limit) {
    return BadRequest{413, "the body of the request is too long"};
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message) {
    return std::nullopt;
  }
  if (error.category() == make_error_code(http::error::bad_target).category()) {
    return BadRequest{400, "this is not an HTTP/1.1 request: " + error.message()};
  }
  return std::nullopt;
}

template <class Body>
http::response<Body> header_of(const HttpResponse& response, unsigned version, bool keep_alive) {
  http::response<Body> message;
  message.result(response.status);
  message.version(version);
  message.keep_alive(keep_alive);
  message.set(http::field::content_type, response.content_type);
  message.set("X-Content-Type-Options", "nosniff");
  if (!response.allow.empty()) message.set(http::field::allow, response.allow);
  return message;
}

asio::awaitable<void> run_stream(const HttpResponse& response, HttpStream& out) {
  try {
    co_await response.stream(out);
  } catch (const std::exception&) {
    // Cancelled, or out of memory: the client sees a stream that was cut off.
  }
}

}  // namespace

struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
  Impl(asio::any_io_executor on, ListenOn at, HttpCoroutine answer, HttpLimits bounds,
       HttpHooks more)
      : executor(std::move(on)),
        where(std::move(at)),
        handler(std::move(answer)),
        limits(bounds),
        hooks(std::move(more)),
        listener(executor),
        pause(executor) {}

  asio::awaitable<void> accept_clients();
  asio::awaitable<void> serve(HttpSessionPtr session);
  asio::awaitable<bool> read_first_byte(HttpSessionPtr session, bool first);
  asio::awaitable<bool> admit(HttpSessionPtr session);
  asio::awaitable<bool> serve_one(HttpSessionPtr session);
  asio::awaitable<HttpResponse> call_handler(const HttpSessionPtr& session,
                                             const HttpRequest& request);
  asio::awaitable<bool> write(HttpSessionPtr session, const HttpResponse& response,
                              unsigned version, bool keep_alive, bool head);
  asio::awaitable<void> stream(HttpSessionPtr session, const HttpResponse& response,
                               unsigned version, bool head);
  asio::awaitable<void> linger(HttpSessionPtr session);
  HttpResponse error(unsigned status, std::string_view text) const {
    return hooks.error ? hooks.error(status, text) : plain(status, text);
  }
  bool take(HttpSocket socket);

  asio::any_io_executor executor;
  ListenOn where;
  HttpCoroutine handler;
  HttpLimits limits;
  HttpHooks hooks;
  Listener listener;
  asio::steady_timer pause;
  std::shared_ptr<SessionList> sessions = std::make_shared<SessionList>();
  bool stopped = false;
};

asio::awaitable<void> HttpServer::Impl::accept_clients() {
  auto& acceptor = listener.acceptor();
  while (!stopped) {
    auto [failed, socket] = co_await acceptor.async_accept(kAwaitTuple);
    if (stopped) co_return;
    bool taken = !failed && take(std::move(socket));
    // The rest of the queue at once: the loop may be busy with those who are here already.
    for (int more = 1; taken && more < kAcceptBatch; ++more) {
      error_code none_left;
      HttpSocket next = acceptor.accept(executor, none_left);
      if (none_left) break;
      taken = take(std::move(next));
    }
    if (taken) continue;
    // Out of descriptors or memory, mostly: the next try must not come at once.
    sessions->close_oldest_idle();
    pause.expires_after(kAcceptPause);
    co_await pause.async_wait(kAwaitTuple);
  }
}

/// \return false when there is no memory for the client.
bool HttpServer::Impl::take(HttpSocket socket) {
  try {
    const auto peer = peer_of(socket);
    const std::int64_t user = peer ? std::int64_t{peer->uid} : -1;
    if (!sessions->make_room(user, limits.connections, limits.connections_per_user)) {
      constexpr std::string_view kBusy =
          "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
      error_code ignored;
      socket.non_blocking(true, ignored);
      socket.write_some(asio::buffer(kBusy), ignored);
      return true;
    }
    auto session = std::make_shared<HttpSession>(std::move(socket), peer, sessions);
    asio::co_spawn(executor, serve(std::move(session)), asio::detached);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

asio::awaitable<void> HttpServer::Impl::serve(HttpSessionPtr session) {
  const auto self = shared_from_this();
  try {
    for (bool first = true; !stopped; first = false) {
      if (!co_await read_first_byte(session, first)) break;
      if (first && !co_await admit(session)) break;
      if (!co_await serve_one(session)) break;
    }
  } catch (const std::exception&) {
    // Out of memory for this client: the others go on.
  }
  session->close();
}

asio::awaitable<bool> HttpServer::Impl::read_first_byte(HttpSessionPtr session, bool first) {
  if (session->buffer.size() != 0) co_return true;
  arm(session, first ? limits.request_time : limits.idle_time);
  const auto [failed, size] =
      co_await session->socket.async_read_some(session->buffer.prepare(kReadBytes), kAwaitTuple);
  session->buffer.commit(size);
  co_return !failed && !stopped && !session->closed;
}

asio::awaitable<bool> HttpServer::Impl::admit(HttpSessionPtr session) {
  if (!hooks.admit || !session->peer) co_return true;
  disarm(session);
  const std::optional<HttpResponse> refusal = co_await hooks.admit(*session->peer);
  if (stopped || session->closed) co_return false;
  if (!refusal) co_return true;
  if (co_await write(session, *refusal, 11, false, false)) co_await linger(session);
  co_return false;
}

asio::awaitable<bool> HttpServer::Impl::serve_one(HttpSessionPtr session) {
  arm(session, limits.request_time);
  http::request_parser<http::string_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(limits.header_bytes));
  parser.body_limit(limits.body_bytes);
  const auto [failed, size] =
      co_await http::async_read(session->socket, session->buffer, parser, kAwaitTuple);
  if (stopped || session->closed) co_return false;
  session->answering = true;
  if (failed) {
    const auto bad = judge(failed, session->timed_out);
    if (!bad) co_return false;
    const HttpResponse answer = error(bad->status, bad->text);
    if (co_await write(session, answer, 11, false, false)) co_await linger(session);
    co_return false;
  }
  auto message = parser.release();
  const bool head = message.method() == http::verb::head;
  const bool keep_alive = message.keep_alive();
  const unsigned version = message.version();
  HttpRequest request = to_request(message);
  request.peer = session->peer;
  disarm(session);
  const HttpResponse response = co_await call_handler(session, request);
  if (stopped || session->closed) co_return false;
  if (response.stream) {
    co_await stream(session, response, version, head);
    co_return false;
  }
  const bool written = co_await write(session, response, version, keep_alive, head);
  session->answering = false;
  co_return written&& keep_alive;
}

asio::awaitable<HttpResponse> HttpServer::Impl::call_handler(const HttpSessionPtr& session,
                                                             const HttpRequest& request) {
  if (sessions->unsent_bytes(session->user) >= limits.unsent_bytes_per_user) {
    co_return error(503, "too many answers wait for clients of this user to take them");
  }
  try {
    HttpResponse response = co_await handler(request);
    if (response.status >= 200 && response.status <= 599) co_return response;
  } catch (const std::exception&) {
    // What a bug has to say is for the log of whoever made it, not for the client.
  }
  co_return error(500, "internal error");
}

asio::awaitable<bool> HttpServer::Impl::write(HttpSessionPtr session, const HttpResponse& response,
                                              unsigned version, bool keep_alive, bool head) {
  arm(session, limits.response_time);
  auto message = header_of<http::span_body<const char>>(response, version, keep_alive);
  message.content_length(response.body.size());
  if (!head) message.body() = {response.body.data(), response.body.size()};
  http::response_serializer<http::span_body<const char>> serializer(message);
  session->unsent_bytes = response.body.size();
  error_code failed;
  if (head) {
    const auto [error, size] =
        co_await http::async_write_header(session->socket, serializer, kAwaitTuple);
    failed = error;
  } else {
    const auto [error, size] = co_await http::async_write(session->socket, serializer, kAwaitTuple);
    failed = error;
  }
  session->unsent_bytes = 0;
  co_return !failed && !stopped && !session->closed;
}

asio::awaitable<void> HttpServer::Impl::stream(HttpSessionPtr session, const HttpResponse& response,
                                               unsigned version, bool head) {
  using namespace asio::experimental::awaitable_operators;
  const bool chunked = version >= 11;
  arm(session, limits.response_time);
  auto message = header_of<http::empty_body>(response, version, false);
  message.chunked(chunked);
  http::response_serializer<http::empty_body> serializer(message);
  const auto [failed, size] =
      co_await http::async_write_header(session->socket, serializer, kAwaitTuple);
  if (failed || head || stopped || session->closed) co_return;
  disarm(session);
  StreamWriter writer(session, limits.response_time, chunked);
  if (!co_await writer.write(response.body)) co_return;
  const auto ended = co_await (run_stream(response, writer) || watch(session));
  if (ended.index() == 0 && !stopped) co_await writer.finish();
}

/// A close with input unread would take the answer back before the client has seen it.
asio::awaitable<void> HttpServer::Impl::linger(HttpSessionPtr session) {
  session->answering = false;
  error_code ignored;
  session->socket.shutdown(asio::socket_base::shutdown_send, ignored);
  arm(session, kLingerTime);
  session->buffer.clear();
  for (std::size_t seen = 0; seen < kLingerBytes;) {
    const auto [failed, size] =
        co_await session->socket.async_read_some(session->buffer.prepare(kReadBytes), kAwaitTuple);
    if (failed || stopped) co_return;
    seen += size;
  }
}

HttpServer::HttpServer(asio::any_io_executor executor, ListenOn where, HttpHandler handler,
                       HttpLimits limits)
    : HttpServer(std::move(executor), std::move(where),
                 HttpCoroutine([answer = std::move(handler)](const HttpRequest& request)
                                   -> asio::awaitable<HttpResponse> { co_return answer(request); }),
                 limits) {}

HttpServer::HttpServer(asio::any_io_executor executor, ListenOn where, HttpCoroutine handler,
                       HttpLimits limits, HttpHooks hooks)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(where), std::move(handler),
                                   limits, std::move(hooks))) {}

HttpServer::~HttpServer() {
  stop();
}

Status HttpServer::start() {
  RAD_CHECK(impl_->listener.open(impl_->where));
  error_code ignored;
  impl_->listener.acceptor().non_blocking(true, ignored);
  asio::co_spawn(
      impl_->executor,
      [impl = impl_]() -> asio::awaitable<void> { co_await impl->accept_clients(); },
      asio::detached);
  return {};
}

void HttpServer::stop() {
  if (impl_->stopped) return;
  impl_->stopped = true;
  impl_->listener.close();
  impl_->pause.cancel();
  impl_->sessions->close_all();
}

std::uint16_t HttpServer::port() const noexcept {
  return impl_->listener.port();
}

}  // namespace rad
