// A small HTTP/1.1 server for /metrics and, later, the control API. Boost.Beast stays in
// http_server.cc: one of the two files of the project that may include it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "agent/base/error.h"

namespace rad {

struct HttpRequest {
  std::string method;  ///< as sent, e.g. "GET"
  std::string path;    ///< of the request target, without the query, not decoded
  std::string query;   ///< without '?'
  std::string body;
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

/// Answers one request. Runs on the server's executor and blocks it meanwhile. A HEAD request is
/// answered like GET and the server leaves out the body. An exception becomes 500.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

/// What a client may take. A client beyond a limit gets 400, 408, 413, 431 or 503 where it can
/// still be told, and is disconnected; no other client notices.
struct HttpLimits {
  std::size_t header_bytes = 8U << 10U;
  std::size_t body_bytes = 64U << 10U;
  std::chrono::milliseconds request_time{10'000};  ///< from the first byte to the last of a request
  std::chrono::milliseconds idle_time{60'000};     ///< between requests of one connection
  std::chrono::milliseconds response_time{30'000};  ///< for the client to take the answer
  std::size_t connections = 64;
};

/// "127.0.0.1:9735", "[::1]:9735", "localhost:9735" (is 127.0.0.1), port 0 for any free one.
/// \return config_invalid naming the text and the form that is wanted.
Result<boost::asio::ip::tcp::endpoint> resolve_listen_address(std::string_view text);

/// Listens from start() until stop() or destruction. All work is done on `executor`, which must be
/// run by one thread (or be a strand), and every call must be made there or before it runs.
class HttpServer {
 public:
  HttpServer(boost::asio::any_io_executor executor, boost::asio::ip::tcp::endpoint endpoint,
             HttpHandler handler, HttpLimits limits = {});
  ~HttpServer();  ///< as stop()
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Binds and listens, so that a client may connect once this has returned.
  /// \return host_unfit naming the address, with a hint when it is in use.
  Status start();
  /// Closes the listener and every connection. Idempotent. The executor's pending work ends by
  /// itself afterwards; it does not refer to this object.
  void stop();
  /// The port that is really listened on; 0 before start().
  std::uint16_t port() const noexcept;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace rad
