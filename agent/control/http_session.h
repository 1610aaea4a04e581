// What one client of the HTTP server may do, and for how long. Internal to agent/control; with
// http_server.cc the only user of Boost.Beast.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "agent/control/http_server.h"
#include "agent/control/session_list.h"

namespace rad {

using HttpSocket = boost::asio::generic::stream_protocol::socket;

inline constexpr auto kAwaitTuple = boost::asio::as_tuple(boost::asio::use_awaitable);
/// What a client may still send that nobody will read.
inline constexpr std::size_t kLingerBytes = 256U << 10U;
inline constexpr std::size_t kReadBytes = 4096;

/// One client.
struct HttpSession final : SessionEntry {
  HttpSession(HttpSocket client, std::optional<Peer> who, std::shared_ptr<SessionList> all);
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  void close() override;

  HttpSocket socket;
  boost::asio::steady_timer timer;  ///< the limit of what it waits for
  boost::asio::steady_timer gone;   ///< never expires; cancelled by close()
  std::optional<Peer> peer;
  boost::beast::flat_buffer buffer;
  bool timed_out = false;
  std::shared_ptr<SessionList> sessions;  ///< outlives the server: frames end when they do
  SessionList::Place place;
};

using HttpSessionPtr = std::shared_ptr<HttpSession>;

/// Cancels what the session waits for when `limit` is over; a later call replaces an earlier one.
void arm(const HttpSessionPtr& session, std::chrono::milliseconds limit);
void disarm(const HttpSessionPtr& session);

/// Who connected; nothing for TCP. Throws boost::system::system_error.
std::optional<Peer> peer_of(HttpSocket& socket);

/// Writes in chunks, or plainly for HTTP/1.0.
class StreamWriter final : public HttpStream {
 public:
  /// \param limit  for one write
  StreamWriter(HttpSessionPtr session, std::chrono::milliseconds limit, bool chunked);
  boost::asio::awaitable<bool> write(std::string text) override;
  /// The last chunk, unless a write has failed.
  boost::asio::awaitable<void> finish();

 private:
  HttpSessionPtr session_;
  std::chrono::milliseconds limit_;
  bool chunked_;
  bool failed_ = false;
};

/// Returns when the connection is of no use any more. What the client sends is thrown away; that
/// it sends no more does not mean that it has gone, which the next write finds out.
boost::asio::awaitable<void> watch(HttpSessionPtr session);

}  // namespace rad
