// A small HTTP/1.1 server for /metrics and the control API, on TCP or a unix socket. Boost.Beast
// stays in http_server.cc and http_session.cc: the two files of the project that may use it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <sys/types.h>

#include "agent/base/error.h"
#include "agent/control/listener.h"

namespace rad {

/// Who connected to a unix socket, by the kernel's word (SO_PEERCRED).
struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
};

struct HttpRequest {
  std::string method;         ///< as sent, e.g. "GET"
  std::string path;           ///< of the request target, without the query, not decoded
  std::string query;          ///< without '?', not decoded
  std::string last_event_id;  ///< header Last-Event-ID, "" if none
  std::string body;
  std::optional<Peer> peer;  ///< unix sockets only
};

/// Where the rest of a streamed answer goes.
class HttpStream {
 public:
  virtual ~HttpStream() = default;
  /// Waits until the client has taken it. \return false when the client is gone or too slow: write
  /// nothing more.
  virtual boost::asio::awaitable<bool> write(std::string text) = 0;
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string allow = {};  ///< header Allow, for 405
  /// Writes what follows `body`; the answer ends, and the connection with it, when it returns. It
  /// is cancelled at what it waits for (which then throws) when the client goes or the server
  /// stops.
  std::function<boost::asio::awaitable<void>(HttpStream&)> stream = {};
};

/// Answers one request. Runs on the server's executor; the first kind blocks it meanwhile. A HEAD
/// request is answered like GET and the server leaves out the body. An exception becomes 500. The
/// request lives until the answer is there.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;
using HttpCoroutine = std::function<boost::asio::awaitable<HttpResponse>(const HttpRequest&)>;

/// What a client may take. A client beyond a limit gets 400, 408, 413, 431 or 503 where it can
/// still be told, and is disconnected; no other client notices.
struct HttpLimits {
  std::size_t header_bytes = 8U << 10U;
  std::size_t body_bytes = 64U << 10U;
  std::chrono::milliseconds request_time{10'000};  ///< from the first byte to the last of a request
  std::chrono::milliseconds idle_time{60'000};     ///< between requests of one connection
  std::chrono::milliseconds response_time{30'000};  ///< for the client to take the answer, or one
                                                    ///< write of a stream
  std::size_t connections = 64;
  /// Of one user (unix sockets). When all connections are taken, the users with the most give way.
  std::size_t connections_per_user = SIZE_MAX;
  /// Answers that one user has not taken yet: beyond it, what he asks next is refused (503).
  std::size_t unsent_bytes_per_user = SIZE_MAX;
};

/// What a server may be told besides.
struct HttpHooks {
  /// Judges a peer of a unix socket before a byte of its request is parsed. An answer refuses it.
  std::function<boost::asio::awaitable<std::optional<HttpResponse>>(Peer)> admit = {};
  /// Makes the answer of an error that the server finds itself; plain text without it.
  std::function<HttpResponse(unsigned status, std::string_view text)> error = {};
};

/// Listens from start() until stop() or destruction. All work is done on `executor`, which must be
/// run by one thread (or be a strand), and every call must be made there or before it runs.
class HttpServer {
 public:
  HttpServer(boost::asio::any_io_executor executor, ListenOn where, HttpHandler handler,
             HttpLimits limits = {});
  HttpServer(boost::asio::any_io_executor executor, ListenOn where, HttpCoroutine handler,
             HttpLimits limits = {}, HttpHooks hooks = {});
  ~HttpServer();  ///< as stop()
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Binds and listens, so that a client may connect once this has returned.
  /// \return host_unfit naming the address, with a hint when it is in use.
  Status start();
  /// Closes the listener and every connection. Idempotent. The executor's pending work ends by
  /// itself afterwards; it does not refer to this object.
  void stop();
  /// The port that is really listened on; 0 before start() and for a unix socket.
  std::uint16_t port() const noexcept;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace rad
