#include "plugins/wal_e/wal_fetch_server.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/text.h"

namespace rad::wal_e {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxClients = 64;
constexpr auto kPatience = std::chrono::seconds(10);

Error system_error(std::string_view what) {
  return fail(Reason::host_unfit, fmt::format("{}: {}", what, std::strerror(errno)));
}

/// \return nothing for a request that is none.
std::optional<std::string> receive(int connection) {
  std::array<char, kMaxName + 1> text{};
  // MSG_TRUNC: the length of what was sent. Descriptors that come along are not taken in.
  const ssize_t got =
      ::recv(connection, text.data(), text.size(), MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);
  if (got <= 0 || static_cast<std::size_t>(got) > kMaxName) return std::nullopt;
  return std::string(text.data(), static_cast<std::size_t>(got));
}

/// \return whether it was taken.
bool send_answer(int connection, const std::string& text, int fd) {
  iovec piece{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(part), &fd, sizeof fd);
  }
  return ::sendmsg(connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

bool is_own_user(int connection) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == ::geteuid() || peer.uid == 0);
}

bool has_gone(int connection) {
  pollfd state{connection, POLLRDHUP, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace

Result<std::unique_ptr<WalFetchServer>> WalFetchServer::start(
    WalSource source, const std::filesystem::path& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket_path.string();
  if (path.size() >= sizeof address.sun_path) {
    return fail(Reason::config_invalid,
                fmt::format("the socket path '{}' is longer than {} bytes", path,
                            sizeof address.sun_path - 1),
                "set a shorter agent.runtime_dir");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!listener) return system_error("cannot create a unix socket");
  ::unlink(path.c_str());
  constexpr int kBacklog = 128;
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), kBacklog) != 0) {
    return system_error(fmt::format("cannot listen on '{}'", path));
  }
  std::unique_ptr<WalFetchServer> server(
      new WalFetchServer(std::move(source), std::move(listener), socket_path));
  server->stop_event_.reset(::eventfd(0, EFD_CLOEXEC));
  if (!server->stop_event_) return system_error("cannot create an eventfd");
  server->thread_ = std::thread([raw = server.get()] { raw->serve(); });
  return server;
}

WalFetchServer::WalFetchServer(WalSource source, UniqueFd listener,
                               std::filesystem::path socket_path)
    : path_(source.path),
      listener_(std::move(listener)),
      socket_path_(std::move(socket_path)),
      files_(std::move(source), stop_.get_token()) {}

WalFetchServer::~WalFetchServer() {
  stop_.request_stop();
  if (stop_event_) {
    const std::uint64_t one = 1;
    (void)!::write(stop_event_.get(), &one, sizeof one);
  }
  if (thread_.joinable()) thread_.join();
  ::unlink(socket_path_.c_str());
}

/// One request at a time, but nobody who is silent holds up another.
void WalFetchServer::serve() {
  while (true) {
    std::vector<pollfd> waiting{{stop_event_.get(), POLLIN, 0}};
    const bool room = clients_.size() < kMaxClients;
    waiting.push_back({room ? listener_.get() : -1, POLLIN, 0});
    auto wake = steady_clock::time_point::max();
    for (const Client& client : clients_) {
      waiting.push_back({client.connection.get(), POLLIN, 0});
      wake = std::min(wake, client.deadline);
    }
    const auto left = std::chrono::ceil<milliseconds>(wake - steady_clock::now()).count();
    const int limit = clients_.empty() ? -1 : static_cast<int>(std::max<std::int64_t>(0, left));
    if (::poll(waiting.data(), waiting.size(), limit) < 0 && errno != EINTR) return;
    if (waiting[0].revents != 0) return;
    const auto now = steady_clock::now();
    std::size_t index = 2;
    std::erase_if(clients_, [&](const Client& client) {
      const bool asks = waiting[index++].revents != 0;
      if (asks) answer(client.connection.get());
      return asks || client.deadline <= now;
    });
    if (waiting[1].revents == 0) continue;
    UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (connection) clients_.push_back({std::move(connection), now + kPatience});
  }
}

void WalFetchServer::answer(int connection) {
  const auto name = is_own_user(connection) ? receive(connection) : std::nullopt;
  if (!name) {
    send_answer(connection, "error: the request was not understood", -1);
    return;
  }
  const auto result = files_.fetch(
      *name, [this, connection] { return stop_.stop_requested() || has_gone(connection); });
  if (!result) {
    send_answer(connection, "error: " + printable(result.error().message, 800), -1);
  } else if (!*result) {
    send_answer(connection, "absent", -1);
  } else if (send_answer(connection, "ok", (*result)->get())) {
    note_handed_over(*name);
  }
}

void WalFetchServer::note_handed_over(std::string_view name) {
  const auto parsed = parse_wal_file_name(name);
  if (!parsed || parsed->kind != WalFileKind::segment) return;
  const auto number = segment_number(parsed->segment, path_->segment_bytes);
  const WalStep* step = number ? path_->find(*number) : nullptr;
  const std::lock_guard lock(mutex_);
  if (step != nullptr) bytes_read_ += step->size;
  if (number) last_served_ = std::max(last_served_, *number);
}

std::uint64_t WalFetchServer::last_served() const {
  const std::lock_guard lock(mutex_);
  return last_served_;
}

std::uint64_t WalFetchServer::bytes_read() const {
  const std::lock_guard lock(mutex_);
  return bytes_read_;
}

}  // namespace rad::wal_e
