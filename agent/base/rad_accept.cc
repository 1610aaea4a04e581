// rad-accept [--isolation TEXT] [--] PROGRAM ARGUMENTS...
//
// Runs a plugin behind a unix socket: the service manager has accepted a connection and made it
// standard input. The plugin gets two pipes, so that it cannot tell the difference from a child of
// the agent. Three bytes that no line of the protocol can hold are the agent's hands on it
// (accept_bytes.h), for it has another user and the agent may not send it signals:
//
//   kEndOfInput, or the agent has ended its half    the plugin's input ends: it cleans up and ends
//   kTerminate, or SIGTERM to this program          SIGTERM to the plugin
//   kKill, or the agent is gone                     the plugin is killed before it can read the end
//                                                   of its input, and so before it cleans up
//   the plugin has ended                            what it left is killed, what it said is passed
//                                                   on, and the end of this program tells the agent
//
// What else may be left dies with the unit's control group.
//
// The exit status is the plugin's, 128 and the signal's number if it died of one, 0 if it was
// killed because of the agent. 126 and 127 as in sh(1), 125: this program itself failed. TEXT is
// what the plugin finds in RAD_ISOLATION. Standard library and system calls only.
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/accept_bytes.h"
#include "agent/base/isolation.h"
#include "agent/base/kill_children.h"
#include "agent/base/unique_fd.h"

namespace {

using rad::UniqueFd;

constexpr int kFailed = 125;
constexpr int kCannotRun = 126;
constexpr int kNotFound = 127;
/// How long an agent that does not read may take for the last words of a plugin that has ended.
constexpr int kLastWordsMilliseconds = 5000;
/// A plugin that does not read must not keep the agent's hands off it: a whole request of the
/// protocol, and the next, have room here.
constexpr std::size_t kDownBytes = 4U << 20U;
constexpr std::size_t kUpBytes = 64U << 10U;
constexpr std::string_view kAcceptBytes("\x04\x03\x00", 3);
static_assert(kAcceptBytes[0] == rad::kEndOfInput && kAcceptBytes[1] == rad::kTerminate &&
              kAcceptBytes[2] == rad::kKill);

[[noreturn]] void give_up(int status, const std::string& message) {
  ::dprintf(STDERR_FILENO, "error: rad-accept: %s\n", message.c_str());
  ::_exit(status);
}

std::string failed(const char* what) {
  return std::string(what) + ": " + std::strerror(errno);
}

/// Bytes on their way from one descriptor to another.
class Relay {
 public:
  explicit Relay(std::size_t limit) : limit_(limit) {}
  bool empty() const noexcept { return begin_ == bytes_.size(); }
  bool full() const noexcept { return bytes_.size() - begin_ >= limit_; }
  /// \return false at the end of file, or when nothing more can be read.
  bool read_from(int fd) {
    std::array<char, 65536> buffer;
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    bytes_.append(buffer.data(), static_cast<std::size_t>(count));
    return count > 0;
  }
  /// \return false when nobody will take it.
  bool write_to(int fd) {
    const ssize_t count = ::write(fd, bytes_.data() + begin_, bytes_.size() - begin_);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    begin_ += static_cast<std::size_t>(count);
    if (empty()) drop();
    return true;
  }
  void drop() noexcept {
    bytes_.clear();
    begin_ = 0;
  }
  /// Takes out the first of the `wanted` bytes. \return kNone if there is none of them
  char take_one_of(std::string_view wanted) {
    const auto at = bytes_.find_first_of(wanted, begin_);
    if (at == std::string::npos) return kNone;
    const char byte = bytes_[at];
    bytes_.erase(at, 1);
    return byte;
  }
  static constexpr char kNone = '\n';  ///< no byte of interest

 private:
  std::size_t limit_;
  std::string bytes_;
  std::size_t begin_ = 0;
};

int milliseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int>((now.tv_sec * 1000 + now.tv_nsec / 1'000'000) & 0x3fffffff);
}

[[noreturn]] void run_plugin(char** program, int in, int out, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kFailed);
  ::setsid();
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  for (int number = 1; number < SIGRTMAX; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execvp(program[0], program);
  const int code = errno;
  give_up(code == ENOENT ? kNotFound : kCannotRun,
          "cannot start '" + std::string(program[0]) + "': " + std::strerror(code));
}

class Session {
 public:
  Session(int socket, UniqueFd signals) : socket_(socket), signals_(std::move(signals)) {}

  void start(char** program) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) {
      give_up(kFailed, failed("cannot make a pipe"));
    }
    const pid_t parent = ::getpid();
    child_ = ::fork();
    if (child_ < 0) give_up(kFailed, failed("cannot fork"));
    if (child_ == 0) run_plugin(program, in[0], out[1], parent);
    ::close(in[0]);
    ::close(out[1]);
    to_plugin_ = UniqueFd(in[1]);
    from_plugin_ = UniqueFd(out[0]);
    for (const int fd : {socket_, to_plugin_.get(), from_plugin_.get()}) {
      ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
  }

  /// \return the exit status of this program.
  int run() {
    while (!finished()) {
      std::array<pollfd, 4> wanted{{
          {socket_, socket_events(), 0},
          {to_plugin_ && !down_.empty() ? to_plugin_.get() : -1, POLLOUT, 0},
          {from_plugin_ && !up_.full() ? from_plugin_.get() : -1, POLLIN, 0},
          {signals_.get(), POLLIN, 0},
      }};
      const int count = ::poll(wanted.data(), wanted.size(), time_left());
      if (count < 0 && errno != EINTR) give_up(kFailed, failed("cannot poll"));
      if (count < 0) continue;
      if (count == 0) break;
      // First of all, so that a plugin which is to be killed does not read the end of its input.
      if ((wanted[0].revents & (POLLHUP | POLLERR)) != 0) return end_plugin("is gone");
      if (wanted[3].revents != 0) take_signal();
      if (wanted[0].revents != 0) move_socket(wanted[0].revents);
      if (kill_wanted_) return end_plugin("has asked for it");
      if (wanted[1].revents != 0) feed_plugin();
      // The agent is not told: it takes the end of the connection for the plugin's death.
      if (wanted[2].revents != 0 && !up_.read_from(from_plugin_.get())) from_plugin_.reset();
    }
    return status_;
  }

 private:
  short socket_events() const {
    int events = 0;
    if (!input_ended_ && !down_.full()) events |= POLLIN;
    if (!up_.empty()) events |= POLLOUT;
    return static_cast<short>(events);
  }

  bool finished() const { return child_ == 0 && !from_plugin_ && up_.empty(); }

  int time_left() const {
    if (child_ != 0) return -1;
    const int passed = (milliseconds() - ended_at_) & 0x3fffffff;
    return passed < kLastWordsMilliseconds ? kLastWordsMilliseconds - passed : 0;
  }

  void move_socket(short events) {
    if ((events & POLLOUT) != 0 && !up_.write_to(socket_)) {
      // Nobody takes what the plugin says: that is for the plugin to find out.
      up_.drop();
      from_plugin_.reset();
    }
    if ((events & POLLIN) == 0) return;
    if (!down_.read_from(socket_)) {
      input_ended_ = true;
      input_closing_ = true;
    }
    obey();
    if (!to_plugin_) down_.drop();
    if (input_closing_ && down_.empty()) to_plugin_.reset();
  }

  void obey() {
    while (true) {
      switch (down_.take_one_of(kAcceptBytes)) {
        case rad::kEndOfInput:
          input_closing_ = true;
          break;
        case rad::kTerminate:
          if (child_ != 0) ::kill(child_, SIGTERM);
          break;
        case rad::kKill:
          kill_wanted_ = true;
          break;
        default:
          return;
      }
    }
  }

  void feed_plugin() {
    if (!down_.write_to(to_plugin_.get())) {
      // It does not read any more, which alone is no reason to end it; the agent waits for answers.
      down_.drop();
      to_plugin_.reset();
    }
    if (input_closing_ && down_.empty()) to_plugin_.reset();
  }

  void take_signal() {
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != sizeof info) return;
    if (info.ssi_signo != SIGCHLD) {
      if (child_ != 0) ::kill(child_, static_cast<int>(info.ssi_signo));
      return;
    }
    int status = 0;
    pid_t ended = 0;
    while ((ended = ::waitpid(-1, &status, WNOHANG)) > 0) {
      if (ended != child_) continue;
      child_ = 0;
      ended_at_ = milliseconds();
      status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    if (child_ != 0) return;
    rad::kill_children();
    to_plugin_.reset();
    down_.drop();
  }

  int end_plugin(const char* why) {
    if (child_ == 0) return status_;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    rad::kill_children();
    ::dprintf(STDERR_FILENO, "info: rad-accept: the plugin was killed, the agent %s\n", why);
    return 0;
  }

  int socket_;
  UniqueFd signals_;
  pid_t child_ = 0;
  UniqueFd to_plugin_;
  UniqueFd from_plugin_;
  Relay down_{kDownBytes};
  Relay up_{kUpBytes};
  bool input_ended_ = false;    ///< nothing more comes from the agent
  bool input_closing_ = false;  ///< the plugin's input ends after what is on its way
  bool kill_wanted_ = false;
  int status_ = 0;
  int ended_at_ = 0;
};

UniqueFd take_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT}) ::sigaddset(&wanted, number);
  ::sigprocmask(SIG_BLOCK, &wanted, nullptr);
  return UniqueFd(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace

int main(int, char** argv) {
  const char* isolation = "a unit of its own";
  for (++argv; *argv != nullptr && (*argv)[0] == '-'; ++argv) {
    const std::string_view word = *argv;
    if (word == "--") {
      ++argv;
      break;
    }
    if (word != "--isolation" || argv[1] == nullptr) {
      give_up(kFailed, "unknown option '" + std::string(word) + "'");
    }
    isolation = *++argv;
  }
  if (*argv == nullptr) {
    give_up(kFailed,
            "no program given; usage: rad-accept [--isolation TEXT] [--] PROGRAM ARGUMENTS...");
  }
  int domain = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(STDIN_FILENO, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) {
    give_up(kFailed, "standard input is not a connection to a unix socket");
  }
  UniqueFd signals = take_signals();
  if (!signals) give_up(kFailed, failed("cannot take signals"));
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  // Standard output is another copy of the connection, which would outlive hanging up.
  const int connection = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (connection < 0 || null < 0) give_up(kFailed, failed("cannot duplicate the connection"));
  ::dup2(null, STDIN_FILENO);
  ::dup2(null, STDOUT_FILENO);
  ::setenv(rad::kIsolationVariable, isolation, 1);
  for (const char* name : {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "REMOTE_ADDR"}) {
    ::unsetenv(name);
  }
  Session session(connection, std::move(signals));
  session.start(argv);
  return session.run();
}
