#include "plugins/wal_e/wal_fetch_server.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/text.h"
#include "plugins/wal_e/wal_segment.h"

namespace rad::wal_e {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxSmallFile = std::size_t{1} << 20U;
constexpr timeval kPatience{10, 0};

Error system_error(std::string_view what) {
  return fail(Reason::host_unfit, fmt::format("{}: {}", what, std::strerror(errno)));
}

struct Request {
  std::string name;
  UniqueFd fd;
};

std::optional<Request> receive(int connection) {
  std::array<char, kMaxName> text{};
  iovec piece{text.data(), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  Request request;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
    request.fd.reset(fd);
  }
  if (got <= 0 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || !request.fd) {
    return std::nullopt;
  }
  request.name.assign(text.data(), static_cast<std::size_t>(got));
  return request;
}

bool is_own_user(int connection) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == ::geteuid() || peer.uid == 0);
}

Status copy_file(int from, int to) {
  off_t offset = 0;
  while (true) {
    const ssize_t done = ::sendfile(to, from, &offset, std::size_t{1} << 30U);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && (errno == ENOSPC || errno == EDQUOT)) {
      return fail(Reason::scratch_full, "cannot write a WAL segment: no space left",
                  "free space in scratch_dir");
    }
    if (done < 0) return system_error("cannot copy a WAL segment");
    if (done == 0) return {};
  }
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
  constexpr int kBacklog = 16;
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
    : source_(std::move(source)),
      listener_(std::move(listener)),
      socket_path_(std::move(socket_path)) {
  source_.context.stop = stop_.get_token();
}

WalFetchServer::~WalFetchServer() {
  stop_.request_stop();
  if (stop_event_) {
    const std::uint64_t one = 1;
    (void)!::write(stop_event_.get(), &one, sizeof one);
  }
  if (thread_.joinable()) thread_.join();
  ahead_.clear();
  ::unlink(socket_path_.c_str());
}

void WalFetchServer::serve() {
  while (true) {
    std::array<pollfd, 2> waiting{pollfd{listener_.get(), POLLIN, 0},
                                  pollfd{stop_event_.get(), POLLIN, 0}};
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) return;
    if (waiting[1].revents != 0) return;
    if (waiting[0].revents == 0) continue;
    const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (connection) answer(connection.get());
  }
}

void WalFetchServer::answer(int connection) {
  ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  std::string text = "error: the request was not understood";
  std::optional<std::uint64_t> served;
  if (auto request = is_own_user(connection) ? receive(connection) : std::nullopt) {
    auto result = fetch(request->name, request->fd.get());
    if (!result) {
      (void)!::ftruncate(request->fd.get(), 0);
      text = "error: " + printable(result.error().message, 800);
    } else {
      text = *result == Answer::ok ? "ok" : "absent";
      const auto name = parse_wal_file_name(request->name);
      if (*result == Answer::ok && name && name->kind == WalFileKind::segment) {
        served = segment_number(name->segment, source_.path->segment_bytes);
      }
    }
  }
  (void)!::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
  if (served) read_ahead(*served);
}

Result<WalFetchServer::Answer> WalFetchServer::fetch(std::string_view name, int fd) {
  const auto parsed = parse_wal_file_name(name);
  if (!parsed) {
    return fail(Reason::recovery_failed,
                fmt::format("'{}' is not the name of a WAL file", printable(name, kMaxName)));
  }
  switch (parsed->kind) {
    case WalFileKind::segment:
      return fetch_segment(parsed->segment, fd);
    case WalFileKind::history: {
      // A newer timeline that does not descend from the backup would make the server give up.
      if (parsed->segment.timeline > source_.path->timeline) return Answer::absent;
      const auto found = source_.listing->histories.find(parsed->segment.timeline);
      const bool known = found != source_.listing->histories.end();
      return fetch_small(known ? &found->second : nullptr, wal_key(name), fd);
    }
    case WalFileKind::backup_history: {
      const auto found = source_.listing->backup_histories.find(std::string(name));
      const bool known = found != source_.listing->backup_histories.end();
      return fetch_small(known ? &found->second : nullptr, wal_key(name), fd);
    }
    case WalFileKind::partial:
      break;
  }
  return Answer::absent;
}

Result<WalFetchServer::Answer> WalFetchServer::confirm_absent(const std::string& key) {
  auto info = source_.storage->stat(key);
  if (!info && info.error().reason == Reason::missing_object) return Answer::absent;
  if (!info) return remember(std::move(info).error());
  // It appeared after preflight, or on a timeline that is not followed: outside what was pinned.
  return Answer::absent;
}

Result<WalFetchServer::Answer> WalFetchServer::fetch_segment(const SegmentName& name, int fd) {
  const auto number = segment_number(name, source_.path->segment_bytes);
  const WalStep* step = number ? source_.path->find(*number) : nullptr;
  if (step == nullptr || source_.path->name(*step) != name) {
    const bool gap = number && step == nullptr && *number >= source_.path->first &&
                     *number < source_.last_number && source_.path->expected_name(*number) == name;
    RAD_TRY(const Answer absent, confirm_absent(wal_key(name)));
    if (gap) {
      remember(fail(Reason::wal_gap,
                    fmt::format("WAL segment '{}' is missing, but later ones exist", wal_key(name)),
                    "look for it in pg_wal of the primary or a standby and archive it again",
                    wal_key(name)));
    }
    return absent;
  }
  Result<UniqueFd> content = fail(Reason::internal_error, "not read ahead");
  const auto found = std::find_if(ahead_.begin(), ahead_.end(),
                                  [&](const Ahead& entry) { return entry.number == *number; });
  if (found != ahead_.end()) {
    content = found->content.get();
    ahead_.erase(ahead_.begin(), found + 1);
  } else {
    content = decode_ahead(*step);
  }
  if (!content) {
    Error error = std::move(content).error();
    if (error.reason == Reason::missing_object) {
      error.reason = Reason::backup_removed;
      error.message =
          fmt::format("WAL object '{}' was there at preflight and is gone now", wal_key(name));
    }
    return remember(std::move(error));
  }
  {
    const std::lock_guard lock(mutex_);
    bytes_read_ += step->size;
    last_served_ = std::max(last_served_, *number);
  }
  if (auto status = copy_file(content->get(), fd); !status) return remember(status.error());
  return Answer::ok;
}

Result<WalFetchServer::Answer> WalFetchServer::fetch_small(const object_store::ObjectInfo* object,
                                                           const std::string& key, int fd) {
  if (object == nullptr) return confirm_absent(key);
  std::string content;
  const auto add = [&](std::span<const std::byte> piece) -> Status {
    if (content.size() + piece.size() > kMaxSmallFile) {
      return fail(Reason::metadata_invalid,
                  fmt::format("'{}' is larger than {} bytes", key, kMaxSmallFile), "", key);
    }
    for (const std::byte byte : piece) content += static_cast<char>(byte);
    return {};
  };
  for (int attempt = 0;; ++attempt) {
    content.clear();
    auto decoded = decode_object(*source_.storage, *object, source_.context, add);
    if (decoded) break;
    if (attempt > 0 || !worth_reading_again(decoded.error())) {
      return remember(std::move(decoded).error());
    }
  }
  if (::write(fd, content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    return remember(system_error("cannot write a file of the archive"));
  }
  return Answer::ok;
}

Result<UniqueFd> WalFetchServer::decode_ahead(const WalStep& step) {
  // Once more on a fault of the object: only what two reads agree on counts.
  for (int attempt = 0;; ++attempt) {
    UniqueFd fd(::open(source_.scratch.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!fd)
      return system_error(fmt::format("cannot make a file in '{}'", source_.scratch.string()));
    const SegmentExpectation wanted{source_.path->name(step), source_.path->segment_bytes,
                                    source_.system_identifier, 0};
    auto decoded = decode_segment(*source_.storage, source_.path->object(step), source_.context,
                                  wanted, fd.get());
    if (decoded) return fd;
    if (attempt > 0 || !worth_reading_again(decoded.error())) {
      return std::move(decoded).error();
    }
  }
}

void WalFetchServer::read_ahead(std::uint64_t after) {
  std::erase_if(ahead_, [&](const Ahead& entry) { return entry.number <= after; });
  std::uint64_t next = ahead_.empty() ? after + 1 : ahead_.back().number + 1;
  while (ahead_.size() < source_.ahead) {
    const WalStep* step = source_.path->find(next);
    if (step == nullptr) return;
    ahead_.push_back({next, std::async(std::launch::async,
                                       [this, copy = *step] { return decode_ahead(copy); })});
    ++next;
  }
}

Error WalFetchServer::remember(Error error) {
  if (source_.keys != nullptr) error = source_.keys->judge(std::move(error), *source_.storage);
  const std::lock_guard lock(mutex_);
  if (!fault_ && error.reason != Reason::cancelled) fault_ = error;
  return error;
}

std::optional<Error> WalFetchServer::first_fault() const {
  const std::lock_guard lock(mutex_);
  return fault_;
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
