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
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

struct Answer {
  std::array<char, 1024> text{};
  std::size_t length = 0;
  int fd = -1;  ///< of the file, when it is "ok"
  bool is(std::string_view word) const { return std::string_view(text.data(), length) == word; }
};

/// \return false after a complaint.
bool read_answer(int connection, const char* name, Answer& answer) {
  pollfd waiting{connection, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, kPatienceMilliseconds);
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) {
    if (ready == 0) errno = ETIMEDOUT;
    complain("no answer from the wal_e plugin", name);
    return false;
  }
  iovec piece{answer.text.data(), answer.text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  if (got <= 0) {
    if (got == 0) errno = ECONNRESET;
    complain("the wal_e plugin is gone", name);
    return false;
  }
  answer.length = static_cast<std::size_t>(got);
  const cmsghdr* part = CMSG_FIRSTHDR(&message);
  if (part != nullptr && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) {
    std::memcpy(&answer.fd, CMSG_DATA(part), sizeof answer.fd);
  }
  return true;
}

/// Gives the file that has no name the destination's. \return whether it has
bool link_to(int file, const char* destination) {
  struct stat status {};
  // A file of somebody else would be one that the server cannot read.
  if (::fstat(file, &status) != 0 || status.st_uid != ::geteuid()) return false;
  std::array<char, 64> path{};
  std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", file);
  return ::linkat(AT_FDCWD, path.data(), AT_FDCWD, destination, AT_SYMLINK_FOLLOW) == 0;
}

bool copy_to(int file, int destination) {
  off_t offset = 0;
  while (true) {
    constexpr std::size_t kPiece = std::size_t{1} << 30U;
    const ssize_t done = ::sendfile(destination, file, &offset, kPiece);
    if (done == 0) return true;
    if (done < 0 && errno != EINTR) return false;
  }
}

/// Neither way writes over what is there, nor through a link.
int place(int file, const char* name, const char* destination) {
  if (link_to(file, destination)) return kFound;
  const int copy = ::open(destination, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (copy < 0) return complain("cannot create the destination", name);
  if (copy_to(file, copy)) return kFound;
  const int status = complain("cannot write the destination", name);
  ::unlink(destination);
  return status;
}

int fetch(int connection, const char* name, const char* destination) {
  if (::send(connection, name, std::strlen(name), MSG_NOSIGNAL) < 0) {
    return complain("cannot ask the wal_e plugin", name);
  }
  Answer answer;
  if (!read_answer(connection, name, answer)) return kFailed;
  if (answer.is("absent")) return kAbsent;
  if (answer.is("ok") && answer.fd >= 0) return place(answer.fd, name, destination);
  std::fprintf(stderr, "rad-wal-fetch: %s: %.*s\n", name, static_cast<int>(answer.length),
               answer.text.data());
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
  return fetch(connection, argv[2], argv[3]);
}
