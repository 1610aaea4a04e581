#include "agent/plugin_host/plugin_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/accept_bytes.h"
#include "agent/base/clock.h"
#include "agent/base/isolation.h"
#include "agent/base/text.h"

namespace rad {
namespace {

/// Known by its connection alone.
class PluginSocket : public PluginPeer {
 public:
  explicit PluginSocket(UniqueFd connection) : connection_(std::move(connection)) {}

  void watch(Listener /*listener*/) override {}  // the conversation sees each end by itself
  int pid() const noexcept override { return 0; }
  bool alive() const noexcept override { return static_cast<bool>(connection_); }
  bool silent() const noexcept override { return true; }
  std::string end_text() const override { return "the end of its connection"; }
  void output_ended() override { connection_.reset(); }
  bool end_input() override { return say(kEndOfInput); }
  void terminate() noexcept override { (void)say(kTerminate); }
  void kill() noexcept override {
    // Hanging up kills it as well, but then nobody can tell when it is dead.
    if (connection_ && !say(kKill)) ::shutdown(connection_.get(), SHUT_RDWR);
  }
  void stop_listening() noexcept override {}

 private:
  bool say(char byte) const noexcept {
    return connection_ && ::send(connection_.get(), &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
  }

  UniqueFd connection_;
};

Status check_directory(const std::filesystem::path& socket) {
  const std::filesystem::path directory = socket.parent_path();
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) {
    return fail(Reason::tool_missing,
                fmt::format("directory '{}': {}", directory.string(), std::strerror(errno)), {},
                directory.string());
  }
  const bool ours = info.st_uid == 0 || info.st_uid == ::geteuid();
  if (ours && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  return fail(Reason::config_invalid,
              fmt::format("directory '{}' of plugin sockets belongs to user {} and has mode {:o}: "
                          "others could have put a socket there",
                          directory.string(), info.st_uid, info.st_mode & 07777U),
              fmt::format("chown root '{0}'; chmod go-w '{0}'", directory.string()),
              directory.string());
}

Status check_maker(const UniqueFd& connection, const std::filesystem::path& socket,
                   const std::string& plugin_user) {
  ucred maker{};
  socklen_t size = sizeof maker;
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &maker, &size) != 0) {
    return fail(Reason::host_unfit, fmt::format("cannot tell who listens at '{}': {}",
                                                socket.string(), std::strerror(errno)));
  }
  if (maker.uid == 0 || maker.uid == ::geteuid()) return {};
  const auto account = find_account(plugin_user);
  if (account && account->uid == maker.uid) return {};
  return fail(Reason::config_invalid,
              fmt::format("user {} listens at '{}', expected root or user '{}'", maker.uid,
                          socket.string(), plugin_user),
              "find out who that is: restored data and credentials would go there",
              socket.string());
}

Result<UniqueFd> connect_to(const std::filesystem::path& socket, const std::string& plugin_user) {
  RAD_CHECK(check_directory(socket));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = socket.native();
  if (path.size() >= sizeof address.sun_path) {
    return fail(Reason::config_invalid,
                fmt::format("the path of socket '{}' has {} bytes, at most "
                            "{} go",
                            path, path.size(), sizeof address.sun_path - 1));
  }
  std::copy(path.begin(), path.end(), std::begin(address.sun_path));
  UniqueFd connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): how the call is made
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (!connection || ::connect(connection.get(), generic, sizeof address) != 0) {
    const int code = errno;
    const Reason reason = code == EACCES   ? Reason::access_denied
                          : code == ENOENT ? Reason::tool_missing
                                           : Reason::host_unfit;
    Error error =
        fail(reason, fmt::format("cannot connect to '{}': {}", path, std::strerror(code)),
             code == EACCES
                 ? "the socket is for root and the group of the agent's user"
                 : fmt::format("systemctl status 'rad-plugin-*.socket'; the socket's unit must be "
                               "started"),
             path);
    error.retryable = code == EAGAIN || code == ECONNREFUSED;
    return error;
  }
  RAD_CHECK(check_maker(connection, socket, plugin_user));
  return connection;
}

/// Waits for `events` until `end`. \return false when the time is over
bool wait_for(int fd, short events, SteadyPoint end) {
  const SystemClock clock;
  while (true) {
    const auto rest =
        std::chrono::ceil<std::chrono::milliseconds>(end - clock.steady_now()).count();
    pollfd wanted{fd, events, 0};
    const int count =
        ::poll(&wanted, 1, static_cast<int>(std::clamp<std::int64_t>(rest, 0, 60000)));
    if (count > 0) return true;
    if (rest <= 0) return false;
    if (count < 0 && errno != EINTR) return false;
  }
}

}  // namespace

Result<ConnectedPlugin> connect_plugin(const std::string& name, const std::filesystem::path& socket,
                                       const std::string& plugin_user) {
  auto connected = connect_to(socket, plugin_user);
  if (!connected) {
    return std::move(connected).error().within(fmt::format("cannot start plugin '{}'", name));
  }
  ConnectedPlugin plugin;
  plugin.input = UniqueFd(::fcntl(connected->get(), F_DUPFD_CLOEXEC, 0));
  plugin.output = UniqueFd(::fcntl(connected->get(), F_DUPFD_CLOEXEC, 0));
  if (!plugin.input || !plugin.output) {
    return fail(Reason::host_unfit,
                fmt::format("cannot start plugin '{}': {}", name, std::strerror(errno)));
  }
  plugin.peer = std::make_shared<PluginSocket>(std::move(*connected));
  return plugin;
}

Status empty_as_plugin_user(const std::filesystem::path& socket,
                            const std::filesystem::path& directory, const std::string& plugin_user,
                            std::chrono::milliseconds limit) {
  RAD_TRY(const UniqueFd connection, connect_to(socket, plugin_user));
  const SteadyPoint end = SystemClock().steady_now() + limit;
  const std::string request = directory.string() + "\n";
  // One short line into an empty buffer: it is taken whole or not at all.
  const ssize_t sent = ::send(connection.get(), request.data(), request.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(request.size())) {
    return fail(Reason::host_unfit,
                fmt::format("cannot ask '{}' to empty '{}': {}", socket.string(),
                            directory.string(), std::strerror(errno)));
  }
  std::string answer;
  while (answer.find('\n') == std::string::npos && answer.size() < 8192) {
    if (!wait_for(connection.get(), POLLIN, end)) {
      return fail(Reason::timeout,
                  fmt::format("'{}' is still being removed after {}", directory.string(),
                              format_duration(limit)),
                  "it goes on; the next sweep looks again", directory.string());
    }
    std::array<char, 4096> buffer{};
    const ssize_t count = ::recv(connection.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) break;
    answer.append(buffer.data(), static_cast<std::size_t>(count));
  }
  if (answer == "ok\n") return {};
  return fail(Reason::host_unfit,
              fmt::format("the plugins' user cannot empty '{}': {}", directory.string(),
                          answer.empty() ? "no answer" : printable(answer, 300)),
              "see 'journalctl -u rad-remove@*'; remove it by hand if need be", directory.string());
}

}  // namespace rad
