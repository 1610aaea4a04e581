#include "agent/control/listener.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>

#include <boost/asio/local/stream_protocol.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/notify.h"
#include "agent/base/text.h"

namespace rad {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kFirstInherited = 3;
constexpr std::size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;

/// The path at which `fd` listens, "" if it does not.
std::string listening_path(int fd) {
  int listens = 0;
  socklen_t size = sizeof listens;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) return {};
  sockaddr_un address{};
  size = sizeof address;
  // sockaddr is the C way to say "any address".
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  if (address.sun_family != AF_UNIX || size <= offsetof(sockaddr_un, sun_path)) return {};
  return {address.sun_path, ::strnlen(address.sun_path, kMaxPath)};
}

Error unfit(const fs::path& path, std::string_view what, int error, std::string hint) {
  return fail(Reason::host_unfit,
              fmt::format("cannot {} '{}': {}", what, path.string(), std::strerror(error)),
              std::move(hint), path.string());
}

/// Whether somebody accepts connections at `path`. An error: it cannot be told.
Result<bool> is_served(const fs::path& path) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.native().copy(address.sun_path, kMaxPath);
  if (fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return true;
  }
  if (errno == ECONNREFUSED || errno == ENOENT) return false;
  if (errno == EAGAIN) return true;
  return unfit(path, "connect to", errno, "remove it if no agent uses it");
}

/// Makes way for a new socket file.
Status remove_stale(const fs::path& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return unfit(path, "look at", errno, "");
  }
  if (!S_ISSOCK(found.st_mode)) {
    return fail(Reason::host_unfit,
                fmt::format("'{}' is not a socket, expected nothing there", path.string()),
                "move it away, or choose another path with agent.control_socket", path.string());
  }
  RAD_TRY(const bool served, is_served(path));
  if (served) {
    return fail(Reason::host_unfit,
                fmt::format("another program listens at '{}' already", path.string()),
                fmt::format("`ss -lxp src {}` shows which; two agents on one host need two values "
                            "of agent.control_socket",
                            path.string()),
                path.string());
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return unfit(path, "remove", errno, "");
  return {};
}

}  // namespace

UniqueFd take_inherited_socket(const fs::path& path) {
  const int end = kFirstInherited + inherited_sockets();
  for (int fd = kFirstInherited; fd < end; ++fd) {
    // What is marked close-on-exec is not what we were started with: it was taken before.
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC) != 0 || listening_path(fd) != path.native()) continue;
    ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
    return UniqueFd(fd);
  }
  return {};
}

Status Listener::open(const ListenOn& where) {
  if (const auto* endpoint = std::get_if<tcp::endpoint>(&where)) return open_tcp(*endpoint);
  return open_unix(std::get<UnixSocket>(where));
}

Status Listener::open_tcp(const tcp::endpoint& endpoint) {
  error_code error;
  const auto refuse = [&](std::string_view what) {
    const std::string where = fmt::format("{}:{}", endpoint.address().to_string(), endpoint.port());
    return fail(Reason::host_unfit, fmt::format("cannot {} {}: {}", what, where, error.message()),
                error == asio::error::address_in_use
                    ? fmt::format("`ss -ltnp 'sport = :{}'` shows who has it; choose another "
                                  "address with agent.metrics.listen",
                                  endpoint.port())
                    : std::string("choose another address with agent.metrics.listen"),
                where);
  };
  acceptor_.open(endpoint.protocol(), error);
  if (error) return refuse("make a socket for");
  acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  acceptor_.bind(endpoint, error);
  if (error) return refuse("listen on");
  acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return refuse("listen on");
  const auto bound = acceptor_.local_endpoint(error);
  tcp::endpoint address;
  if (!error && bound.size() <= address.capacity()) {
    std::memcpy(address.data(), bound.data(), bound.size());
    port_ = address.port();
  }
  return {};
}

Status Listener::open_unix(const UnixSocket& socket) {
  if (socket.path.native().size() > kMaxPath) {
    return fail(Reason::config_invalid,
                fmt::format("'{}' has {} bytes, expected at most {}: the kernel allows no longer "
                            "path of a socket",
                            socket.path.string(), socket.path.native().size(), kMaxPath),
                "choose a shorter path with agent.control_socket", socket.path.string());
  }
  error_code error;
  if (UniqueFd inherited = take_inherited_socket(socket.path)) {
    acceptor_.assign(asio::local::stream_protocol(), inherited.get(), error);
    if (!error) {
      (void)inherited.release();
      return {};
    }
  }
  RAD_CHECK(remove_stale(socket.path));
  return bind_unix(socket);
}

Status Listener::bind_unix(const UnixSocket& socket) {
  const std::string hint = "choose another path with agent.control_socket";
  error_code error;
  acceptor_.open(asio::local::stream_protocol(), error);
  if (error) return unfit(socket.path, "make a socket for", error.value(), "");
  // Nobody can connect before the mode is what it should be: no client is in the queue before
  // listen().
  acceptor_.bind(asio::local::stream_protocol::endpoint(socket.path.string()), error);
  if (error) return unfit(socket.path, "listen at", error.value(), hint);
  struct stat made {};
  if (::lstat(socket.path.c_str(), &made) == 0) {
    made_ = socket.path;
    device_ = made.st_dev;
    inode_ = made.st_ino;
  }
  if (::chmod(socket.path.c_str(), socket.mode) != 0) {
    return unfit(socket.path, "set the mode of", errno, hint);
  }
  acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return unfit(socket.path, "listen at", error.value(), hint);
  return {};
}

void Listener::close() noexcept {
  error_code ignored;
  acceptor_.close(ignored);
  if (made_.empty()) return;
  struct stat found {};
  if (::lstat(made_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_) {
    ::unlink(made_.c_str());
  }
  made_.clear();
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
