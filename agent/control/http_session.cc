#include "agent/control/http_session.h"

#include <array>

#include <boost/asio/write.hpp>
#include <sys/socket.h>

namespace rad {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using std::chrono::milliseconds;

HttpSession::HttpSession(HttpSocket client, std::optional<Peer> who,
                         std::shared_ptr<SessionList> all)
    : socket(std::move(client)),
      timer(socket.get_executor()),
      gone(socket.get_executor()),
      peer(who),
      sessions(std::move(all)) {
  if (peer) user = peer->uid;
  place = sessions->add(*this);
}

HttpSession::~HttpSession() {
  sessions->remove(place);
}

void HttpSession::close() {
  closed = true;
  error_code ignored;
  socket.close(ignored);
  timer.cancel();
  gone.cancel();
}

void arm(const HttpSessionPtr& session, milliseconds limit) {
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

void disarm(const HttpSessionPtr& session) {
  session->timer.expires_at(asio::steady_timer::time_point::max());
}

std::optional<Peer> peer_of(HttpSocket& socket) {
  ucred found{};
  socklen_t size = sizeof found;
  if (socket.local_endpoint().protocol().family() != AF_UNIX) return std::nullopt;
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &found, &size) != 0) {
    throw boost::system::system_error(errno, boost::system::system_category());
  }
  return Peer{found.uid, found.gid};
}

StreamWriter::StreamWriter(HttpSessionPtr session, milliseconds limit, bool chunked)
    : session_(std::move(session)), limit_(limit), chunked_(chunked) {}

asio::awaitable<bool> StreamWriter::write(std::string text) {
  if (text.empty()) co_return !failed_;
  if (failed_) co_return false;
  arm(session_, limit_);
  session_->unsent_bytes = text.size();
  error_code failed;
  if (chunked_) {
    const auto [error, size] = co_await asio::async_write(
        session_->socket, http::make_chunk(asio::const_buffer(text.data(), text.size())),
        kAwaitTuple);
    failed = error;
  } else {
    const auto [error, size] =
        co_await asio::async_write(session_->socket, asio::buffer(text), kAwaitTuple);
    failed = error;
  }
  session_->unsent_bytes = 0;
  disarm(session_);
  failed_ = failed.failed();
  co_return !failed_;
}

asio::awaitable<void> StreamWriter::finish() {
  if (failed_ || !chunked_ || session_->closed) co_return;
  arm(session_, limit_);
  (void)co_await asio::async_write(session_->socket, http::make_chunk_last(), kAwaitTuple);
}

asio::awaitable<void> watch(HttpSessionPtr session) {
  std::array<char, kReadBytes> rubbish{};
  for (std::size_t seen = session->buffer.size(); seen < kLingerBytes;) {
    const auto [error, size] =
        co_await session->socket.async_read_some(asio::buffer(rubbish), kAwaitTuple);
    seen += size;
    if (error == asio::error::eof) {
      session->gone.expires_at(asio::steady_timer::time_point::max());
      (void)co_await session->gone.async_wait(kAwaitTuple);
    }
    if (error) co_return;
  }
}

}  // namespace rad
