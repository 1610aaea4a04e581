// The socket that a server listens on: a TCP address, or a path in the file system.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <variant>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <sys/types.h>

#include "agent/base/error.h"
#include "agent/base/unique_fd.h"

namespace rad {

/// A unix stream socket.
struct UnixSocket {
  std::filesystem::path path;  ///< absolute, at most 107 bytes
  unsigned mode = 0600;        ///< of the socket file: who may connect
};

using ListenOn = std::variant<boost::asio::ip::tcp::endpoint, UnixSocket>;

/// "127.0.0.1:9735", "[::1]:9735", "localhost:9735" (is 127.0.0.1), port 0 for any free one.
/// \return config_invalid naming the text and the form that is wanted.
Result<boost::asio::ip::tcp::endpoint> resolve_listen_address(std::string_view text);

/// The descriptor of a unix socket listening at `path` that the service manager holds for us
/// (sd_listen_fds(3)), so that clients may connect while the agent restarts. Nothing if it holds
/// none. Each is given once; further calls and child processes do not see it.
UniqueFd take_inherited_socket(const std::filesystem::path& path);

/// A listening socket. A socket file that it made is removed when it is closed, unless somebody has
/// put another one in its place.
class Listener {
 public:
  using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol>;

  explicit Listener(const boost::asio::any_io_executor& executor) : acceptor_(executor) {}
  ~Listener() { close(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Binds and listens. An inherited socket is used instead of a new one. A socket file is replaced
  /// if nobody listens there; anything else of that name is left alone.
  /// \return host_unfit naming the address and who may have it; config_invalid for a path that is
  ///   too long.
  Status open(const ListenOn& where);
  void close() noexcept;

  Acceptor& acceptor() noexcept { return acceptor_; }
  /// 0 unless TCP.
  std::uint16_t port() const noexcept { return port_; }

 private:
  Status open_tcp(const boost::asio::ip::tcp::endpoint& endpoint);
  Status open_unix(const UnixSocket& socket);
  Status bind_unix(const UnixSocket& socket);

  Acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::filesystem::path made_;  ///< the socket file, if it is ours to remove
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace rad
