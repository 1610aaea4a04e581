// run_tool(): feeds and drains a short-lived child with one poll loop.
#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>

#include "agent/base/child_process.h"
#include "agent/base/pidfd.h"

namespace rad {
namespace {

/// Turns SIGPIPE of writes to a child that has gone into EPIPE, for this thread alone.
class NoSigpipe {
 public:
  NoSigpipe() {
    ::sigemptyset(&sigpipe_);
    ::sigaddset(&sigpipe_, SIGPIPE);
    sigset_t pending;
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;
  ~NoSigpipe() {
    const timespec at_once{};
    if (!was_pending_) {
      while (::sigtimedwait(&sigpipe_, nullptr, &at_once) == SIGPIPE) {
      }
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t sigpipe_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

void set_nonblocking(const UniqueFd& fd) {
  if (fd) ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

/// The agent's ends of a tool's pipes.
struct Channels {
  UniqueFd in;
  UniqueFd out;
  UniqueFd err;
};

/// Reads what is there. The end of the stream closes `fd`.
void drain(UniqueFd& fd, std::string& text, std::size_t& room, bool& cut) {
  std::array<char, 65536> buffer{};
  while (fd) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return fd.reset();
    const std::size_t taken = std::min(room, static_cast<std::size_t>(got));
    text.append(buffer.data(), taken);
    room -= taken;
    cut = cut || taken < static_cast<std::size_t>(got);
  }
}

void feed(UniqueFd& fd, std::string_view& input) {
  while (fd && !input.empty()) {
    const ssize_t put = ::write(fd.get(), input.data(), input.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) return;
    if (put < 0) return fd.reset();  // the tool does not want more: its exit status says why
    input.remove_prefix(static_cast<std::size_t>(put));
  }
  fd.reset();
}

/// \return false if the time limit came first
bool converse(int pidfd, Channels& ends, std::string_view input,
              std::chrono::steady_clock::time_point deadline, std::size_t max_output,
              ToolOutput& output) {
  const NoSigpipe guard;
  std::size_t room = max_output;
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    std::array<pollfd, 4> watched{{{ends.in.get(), POLLOUT, 0},
                                   {ends.out.get(), POLLIN, 0},
                                   {ends.err.get(), POLLIN, 0},
                                   {pidfd, POLLIN, 0}}};
    ::poll(watched.data(), watched.size(),
           static_cast<int>(std::min<std::int64_t>(left.count(), 3600'000)));
    // Read after the end was seen: a process that the tool left behind may keep the pipe open.
    const bool ended = (watched[3].revents & POLLIN) != 0;
    feed(ends.in, input);
    drain(ends.out, output.out, room, output.cut);
    drain(ends.err, output.err, room, output.cut);
    if (ended) return true;
  }
}

}  // namespace

Result<ToolOutput> run_tool(const ChildSpec& spec, std::string_view input,
                            std::chrono::milliseconds limit, std::size_t max_output) {
  const auto deadline = std::chrono::steady_clock::now() +
                        std::min<std::chrono::milliseconds>(limit, std::chrono::hours(24 * 365));
  ChildSpec wired = spec;
  Channels ends;
  ToolOutput output;
  std::array<Pipe, 3> pipes;
  if (spec.stdin_fd < 0 && !input.empty()) {
    RAD_TRY(pipes[0], make_pipe());
    wired.stdin_fd = pipes[0].read_end.get();
    ends.in = std::move(pipes[0].write_end);
  }
  if (spec.stdout_fd < 0) {
    RAD_TRY(pipes[1], make_pipe());
    wired.stdout_fd = pipes[1].write_end.get();
    ends.out = std::move(pipes[1].read_end);
  }
  if (spec.stderr_fd < 0) {
    RAD_TRY(pipes[2], make_pipe());
    wired.stderr_fd = pipes[2].write_end.get();
    ends.err = std::move(pipes[2].read_end);
  }
  set_nonblocking(ends.in);
  set_nonblocking(ends.out);
  set_nonblocking(ends.err);
  RAD_TRY(ChildProcess child, ChildProcess::start(wired));
  pipes = {};
  const UniqueFd pidfd = open_pidfd(child.pid());
  if (!pidfd || !converse(pidfd.get(), ends, input, deadline, max_output, output)) {
    child.kill();
    child.wait();
    Error error = fail(Reason::timeout, fmt::format("'{}' did not end within {} ms",
                                                    spec.program.string(), limit.count()));
    error.retryable = true;
    error.detail = output.err;
    return error;
  }
  output.status = child.wait();
  return output;
}

}  // namespace rad
