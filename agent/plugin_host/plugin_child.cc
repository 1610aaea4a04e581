#include "agent/plugin_host/plugin_child.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/process/v2.hpp>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/child_process.h"
#include "agent/base/pidfd.h"

namespace rad {
namespace asio = boost::asio;
namespace process = boost::process::v2;
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

class PluginChild : public PluginPeer, public std::enable_shared_from_this<PluginChild> {
 public:
  PluginChild(asio::any_io_executor executor, pid_t pid, UniqueFd pidfd, UniqueFd errors)
      : executor_(std::move(executor)),
        pid_(pid),
        end_(executor_, pidfd.release()),
        errors_(executor_, errors.release()) {}
  /// Nobody waits for it any more; a zombie is left for the agent's own end at worst.
  ~PluginChild() override { PluginChild::kill(); }

  void watch(Listener listener) override {
    listener_ = std::move(listener);
    auto self = shared_from_this();
    asio::co_spawn(
        executor_, [self] { return self->read_errors(); }, asio::detached);
    asio::co_spawn(
        executor_, [self] { return self->await_end(); }, asio::detached);
  }
  int pid() const noexcept override { return pid_; }
  bool alive() const noexcept override { return alive_; }
  bool silent() const noexcept override { return silent_; }
  std::string end_text() const override;
  void terminate() noexcept override {
    if (alive_) ::kill(pid_, SIGTERM);
  }
  void kill() noexcept override {
    if (alive_) ::kill(pid_, SIGKILL);
  }
  void stop_listening() noexcept override {
    boost::system::error_code ignored;
    errors_.close(ignored);
  }

 private:
  asio::awaitable<void> read_errors();
  asio::awaitable<void> await_end();

  asio::any_io_executor executor_;
  pid_t pid_;
  asio::posix::stream_descriptor end_;  ///< pidfd, readable once the launcher has ended
  asio::posix::stream_descriptor errors_;
  Listener listener_;
  int wait_status_ = 0;
  bool alive_ = true;
  bool silent_ = false;
};

std::string PluginChild::end_text() const {
  ExitStatus status;
  if (WIFSIGNALED(wait_status_)) {
    status.signal = WTERMSIG(wait_status_);
  } else if (WIFEXITED(wait_status_)) {
    status.code = WEXITSTATUS(wait_status_);
  }
  // rad-launch passes a signal on as 128 + its number where it cannot raise it itself.
  if (status.signal == 0 && status.code > 128 && status.code < 160) {
    status = ExitStatus{0, status.code - 128};
  }
  return status.text();
}

asio::awaitable<void> PluginChild::read_errors() {
  auto self = shared_from_this();
  std::array<char, 16384> buffer;
  for (;;) {
    auto [ec, size] = co_await errors_.async_read_some(asio::buffer(buffer), kToken);
    if (ec) break;
    if (listener_.said) listener_.said({buffer.data(), size});
  }
  stop_listening();
  silent_ = true;
  if (listener_.changed) listener_.changed();
}

asio::awaitable<void> PluginChild::await_end() {
  auto self = shared_from_this();
  // Boost.Process's own wait blocks in waitpid() after a spurious wake-up; this one looks again.
  while (::waitpid(pid_, &wait_status_, WNOHANG) == 0) {
    co_await end_.async_wait(asio::posix::stream_descriptor::wait_read, kToken);
  }
  boost::system::error_code ignored;
  end_.close(ignored);
  alive_ = false;
  if (listener_.changed) listener_.changed();
}

}  // namespace

Result<StartedChild> start_child(asio::any_io_executor executor, const PluginCommand& command) {
  RAD_TRY(Pipe in, make_pipe());
  RAD_TRY(Pipe out, make_pipe());
  RAD_TRY(Pipe err, make_pipe());
  const std::vector<std::string> args{"--parent", std::to_string(::getpid()), "--",
                                      command.program.string()};
  boost::system::error_code ec;
  process::default_process_launcher launcher;
  process::process started =
      launcher(executor, ec, process::filesystem::path(command.launcher.string()), args,
               process::process_stdio{in.read_end.get(), out.write_end.get(), err.write_end.get()});
  if (ec) {
    return fail(Reason::host_unfit,
                fmt::format("cannot start plugin '{}': {}", command.name, ec.message()));
  }
  const pid_t pid = started.id();
  started.detach();
  UniqueFd pidfd = open_pidfd(pid);
  if (!pidfd) {
    const int code = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return fail(Reason::host_unfit,
                fmt::format("cannot watch plugin '{}': {}", command.name, std::strerror(code)));
  }
  return StartedChild{std::make_shared<PluginChild>(std::move(executor), pid, std::move(pidfd),
                                                    std::move(err.read_end)),
                      std::move(in.write_end), std::move(out.read_end)};
}

}  // namespace rad
