// rad-wal-fetch SOCKET NAME DESTINATION: the restore_command of a test instance.
//
// Exit status: 0 the file is there and proved; 1 it does not exist in the archive, which PostgreSQL
// takes for the end of it; 255 anything else, which stops recovery (126 and above do).
// It is started once a segment, so it needs nothing but the C library.
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

constexpr int kFound = 0;
constexpr int kAbsent = 1;
constexpr int kFailed = 255;
// Longer than any segment takes to be read from a slow store; a dead plugin is noticed at once.
constexpr int kPatienceMilliseconds = 15 * 60 * 1000;

int complain(const char* what, const char* name) {
  std::fprintf(stderr, "rad-wal-fetch: %s: %s: %s\n", name, what, std::strerror(errno));
  return kFailed;
}

int connect_to(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::memcpy(address.sun_path, path, length);
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return -1;
  return fd;
}

bool send_request(int connection, const char* name, int destination) {
  iovec piece{const_cast<char*>(name), std::strlen(name)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(part), &destination, sizeof destination);
  return ::sendmsg(connection, &message, MSG_NOSIGNAL) >= 0;
}

int read_answer(int connection, const char* name) {
  pollfd waiting{connection, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, kPatienceMilliseconds);
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) {
    if (ready == 0) errno = ETIMEDOUT;
    return complain("no answer from the wal_e plugin", name);
  }
  std::array<char, 1024> text{};
  const ssize_t got = ::recv(connection, text.data(), text.size(), 0);
  if (got <= 0) {
    if (got == 0) errno = ECONNRESET;
    return complain("the wal_e plugin is gone", name);
  }
  const std::string_view answer(text.data(), static_cast<std::size_t>(got));
  if (answer == "ok") return kFound;
  if (answer == "absent") return kAbsent;
  std::fprintf(stderr, "rad-wal-fetch: %s: %.*s\n", name, static_cast<int>(answer.size()),
               answer.data());
  return kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr std::size_t kLongestName = 64;
  if (argc != 4 || std::strlen(argv[2]) == 0 || std::strlen(argv[2]) > kLongestName) {
    std::fprintf(stderr, "usage: rad-wal-fetch SOCKET NAME DESTINATION\n");
    return kFailed;
  }
  const int connection = connect_to(argv[1]);
  if (connection < 0) return complain("cannot reach the wal_e plugin", argv[2]);
  const int destination =
      ::open(argv[3], O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (destination < 0) return complain("cannot create the destination", argv[2]);
  const int status = send_request(connection, argv[2], destination)
                         ? read_answer(connection, argv[2])
                         : complain("cannot ask the wal_e plugin", argv[2]);
  if (status != kFound) ::unlink(argv[3]);
  return status;
}
