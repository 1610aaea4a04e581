#include "agent/plugin_host/plugin_process.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <optional>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/writable_pipe.hpp>
#include <boost/asio/write.hpp>
#include <boost/process/v2.hpp>
#include <fmt/format.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/child_process.h"
#include "agent/base/text.h"

namespace rad {
namespace asio = boost::asio;
namespace process = boost::process::v2;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kLogBytes = 64U << 10U;
/// Notifications of one request beyond this many bytes are a flood, not a conversation.
constexpr std::size_t kFloodBytes = 64U << 20U;

/// Keeps the end of a text that grows for ever.
class Tail {
 public:
  void add(std::string_view text) {
    text_.append(text);
    if (text_.size() > 2 * kLogBytes) text_.erase(0, text_.size() - kLogBytes);
  }
  std::string text() const {
    return text_.size() > kLogBytes ? text_.substr(text_.size() - kLogBytes) : text_;
  }

 private:
  std::string text_;
};

}  // namespace

class PluginProcess::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::any_io_executor executor, PluginCommand command)
      : command_(std::move(command)),
        executor_(std::move(executor)),
        input_(executor_),
        output_(executor_),
        errors_(executor_),
        end_(executor_),
        changed_(executor_, asio::steady_timer::time_point::max()) {}

  Status launch() {
    RAD_TRY(Pipe in, make_pipe());
    RAD_TRY(Pipe out, make_pipe());
    RAD_TRY(Pipe err, make_pipe());
    const std::vector<std::string> args{"--parent", std::to_string(::getpid()), "--",
                                        command_.program.string()};
    boost::system::error_code ec;
    process::default_process_launcher launcher;
    process::process started = launcher(
        executor_, ec, process::filesystem::path(command_.launcher.string()), args,
        process::process_stdio{in.read_end.get(), out.write_end.get(), err.write_end.get()});
    if (ec) {
      return fail(Reason::host_unfit,
                  fmt::format("cannot start plugin '{}': {}", command_.name, ec.message()));
    }
    pid_ = started.id();
    alive_ = true;
    started.detach();
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    if (pidfd < 0) {
      const int code = errno;
      kill();
      ::waitpid(pid_, nullptr, 0);
      alive_ = false;
      return fail(Reason::host_unfit,
                  fmt::format("cannot watch plugin '{}': {}", command_.name, std::strerror(code)));
    }
    end_.assign(pidfd);
    input_.assign(in.write_end.release());
    output_.assign(out.read_end.release());
    errors_.assign(err.read_end.release());
    auto self = shared_from_this();
    asio::co_spawn(
        executor_, [self] { return self->read_output(); }, asio::detached);
    asio::co_spawn(
        executor_, [self] { return self->read_errors(); }, asio::detached);
    asio::co_spawn(
        executor_, [self] { return self->await_end(); }, asio::detached);
    return {};
  }

  asio::awaitable<Result<boost::json::object>> call(std::string method, boost::json::object params,
                                                    CallLimits limits);
  asio::awaitable<void> stop(std::chrono::milliseconds patience);

  void cancel() {
    cancel_wanted_ = true;
    changed_.cancel();
  }

  void kill() noexcept {
    if (alive_) ::kill(pid_, SIGKILL);
  }

  /// The destructor of the handle: nobody calls any more, coroutines may still hold this object.
  void abandon() {
    kill();
    boost::system::error_code ignored;
    input_.close(ignored);
  }

  PluginCommand command_;
  ProgressHandler on_progress_;
  LogHandler on_log_;
  Tail log_;
  bool alive() const noexcept { return alive_; }
  std::optional<Error> early_end() const {
    if (alive_ || input_closed_) return std::nullopt;
    return broken_ ? *broken_ : end_error();
  }
  int pid() const noexcept { return pid_; }

 private:
  asio::awaitable<void> read_output();
  asio::awaitable<void> read_errors();
  asio::awaitable<void> await_end();
  Status take_line(const std::string& line);
  void take_notification(const protocol::Notification& notification);
  asio::awaitable<Status> send(std::string line, SteadyPoint deadline);
  asio::awaitable<void> wait_change(std::optional<SteadyPoint> until);
  void break_off(Error error);
  Error end_error() const;

  asio::any_io_executor executor_;
  asio::writable_pipe input_;
  asio::readable_pipe output_;
  asio::readable_pipe errors_;
  asio::posix::stream_descriptor end_;  ///< pidfd, readable once the launcher has ended
  pid_t pid_ = 0;
  int wait_status_ = 0;
  asio::steady_timer changed_;  ///< cancelled whenever something happened
  SystemClock clock_;

  bool alive_ = false;
  bool output_ended_ = false;
  bool errors_ended_ = false;
  bool cancel_wanted_ = false;
  bool calling_ = false;
  bool input_closed_ = false;
  std::int64_t next_id_ = 1;
  std::optional<protocol::Response> answer_;
  std::optional<Error> broken_;  ///< first cause after which nothing more is expected
  protocol::Progress last_progress_;
  SteadyPoint last_change_{};
  std::size_t notified_bytes_ = 0;
  std::string method_;
};

asio::awaitable<void> PluginProcess::Impl::wait_change(std::optional<SteadyPoint> until) {
  changed_.expires_at(until.value_or(asio::steady_timer::time_point::max()));
  co_await changed_.async_wait(kToken);
}

void PluginProcess::Impl::break_off(Error error) {
  if (!broken_) broken_ = std::move(error);
  kill();
  changed_.cancel();
}

Error PluginProcess::Impl::end_error() const {
  const int native = wait_status_;
  ExitStatus status;
  if (WIFSIGNALED(native))
    status.signal = WTERMSIG(native);
  else if (WIFEXITED(native))
    status.code = WEXITSTATUS(native);
  // rad-launch passes a signal on as 128 + its number where it cannot raise it itself.
  if (status.signal == 0 && status.code > 128 && status.code < 160) {
    status = ExitStatus{0, status.code - 128};
  }
  Error error = fail(
      Reason::plugin_crashed,
      fmt::format("plugin '{}' ended {} '{}' with {}", command_.name, calling_ ? "during" : "after",
                  method_.empty() ? "start" : method_, status.text()),
      "its last words are in the run's log; if it was not killed by hand, report it");
  error.detail = printable(log_.text(), 4000);
  error.retryable = true;
  return error;
}

void PluginProcess::Impl::take_notification(const protocol::Notification& notification) {
  if (notification.method == "progress") {
    auto progress = protocol::from_json<protocol::Progress>(notification.params);
    if (!progress) return;
    if (progress->bytes_done != last_progress_.bytes_done ||
        progress->bytes_total != last_progress_.bytes_total) {
      last_change_ = clock_.steady_now();
    }
    last_progress_ = *progress;
    if (on_progress_) on_progress_(*progress);
  } else if (notification.method == "log") {
    auto line = protocol::from_json<protocol::LogLine>(notification.params);
    if (!line) return;
    log_.add(line->level + ": " + line->message + "\n");
    if (on_log_) on_log_(*line);
  }
}

Status PluginProcess::Impl::take_line(const std::string& line) {
  auto message = protocol::decode(line);
  if (!message) {
    return std::move(message).error().within(
        fmt::format("plugin '{}' broke the protocol during '{}'", command_.name, method_));
  }
  if (const auto* notification = std::get_if<protocol::Notification>(&*message)) {
    notified_bytes_ += line.size();
    if (notified_bytes_ > kFloodBytes) {
      return fail(Reason::plugin_protocol,
                  fmt::format("plugin '{}' sent more than {} of notifications during '{}'",
                              command_.name, format_bytes(kFloodBytes), method_));
    }
    take_notification(*notification);
    return {};
  }
  auto* response = std::get_if<protocol::Response>(&*message);
  if (response == nullptr || !calling_ || response->id != next_id_ || answer_) {
    return fail(Reason::plugin_protocol,
                fmt::format("plugin '{}' sent an answer that nobody asked for: '{}'", command_.name,
                            printable(line, 200)));
  }
  answer_ = std::move(*response);
  changed_.cancel();
  return {};
}

asio::awaitable<void> PluginProcess::Impl::read_output() {
  auto self = shared_from_this();
  protocol::LineSplitter lines;
  std::array<char, 65536> buffer;
  while (!broken_) {
    auto [ec, size] = co_await output_.async_read_some(asio::buffer(buffer), kToken);
    if (ec) break;
    Status status = lines.feed({buffer.data(), size});
    while (status && !broken_) {
      auto line = lines.next();
      if (!line) break;
      status = take_line(*line);
    }
    if (!status) {
      Error error = std::move(status).error();
      error.hint = "the plugin is at fault, not the backup: see its log, update or report it";
      break_off(std::move(error));
    }
  }
  boost::system::error_code ignored;
  output_.close(ignored);
  output_ended_ = true;
  changed_.cancel();
}

asio::awaitable<void> PluginProcess::Impl::read_errors() {
  auto self = shared_from_this();
  std::array<char, 16384> buffer;
  for (;;) {
    auto [ec, size] = co_await errors_.async_read_some(asio::buffer(buffer), kToken);
    if (ec) break;
    log_.add({buffer.data(), size});
  }
  boost::system::error_code ignored;
  errors_.close(ignored);
  errors_ended_ = true;
  changed_.cancel();
}

asio::awaitable<void> PluginProcess::Impl::await_end() {
  auto self = shared_from_this();
  // Boost.Process's own wait blocks in waitpid() after a spurious wake-up; this one looks again.
  while (::waitpid(pid_, &wait_status_, WNOHANG) == 0) {
    co_await end_.async_wait(asio::posix::stream_descriptor::wait_read, kToken);
  }
  boost::system::error_code ignored;
  end_.close(ignored);
  alive_ = false;
  changed_.cancel();
}

asio::awaitable<Status> PluginProcess::Impl::send(std::string line, SteadyPoint deadline) {
  // A plugin that does not read fills the pipe; the timer breaks the write off by killing it.
  asio::steady_timer guard(executor_, deadline);
  auto self = shared_from_this();
  guard.async_wait([self](boost::system::error_code ec) {
    if (!ec) {
      self->break_off(fail(Reason::timeout, fmt::format("plugin '{}' does not read its requests",
                                                        self->command_.name)));
    }
  });
  auto [ec, size] = co_await asio::async_write(input_, asio::buffer(line), kToken);
  guard.cancel();
  if (broken_) co_return *broken_;
  if (ec && !input_closed_) {
    // The reader tells why it is gone; give it a moment to do so.
    while (!output_ended_ || alive_) {
      kill();
      co_await wait_change(std::nullopt);
    }
    co_return end_error();
  }
  co_return Status{};
}

asio::awaitable<Result<boost::json::object>> PluginProcess::Impl::call(std::string method,
                                                                       boost::json::object params,
                                                                       CallLimits limits) {
  if (broken_) co_return *broken_;
  method_ = method;
  answer_.reset();
  notified_bytes_ = 0;
  last_progress_ = {};
  ++next_id_;
  calling_ = true;
  const SteadyPoint begin = clock_.steady_now();
  last_change_ = begin;
  std::optional<SteadyPoint> cancelled_at;
  std::optional<Error> limit_error;
  std::string line = protocol::encode(protocol::Request{next_id_, method, std::move(params)});
  if (line.size() > protocol::kMaxLineBytes) {
    co_return fail(Reason::internal_error, fmt::format("request '{}' exceeds one line", method));
  }
  Status sent = co_await send(std::move(line), begin + std::chrono::seconds(60));
  if (!sent) {
    calling_ = false;
    if (!broken_) broken_ = sent.error();
    co_return *broken_;
  }
  while (!answer_ && !broken_) {
    if (!alive_ && output_ended_) {
      break_off(end_error());
      break;
    }
    const SteadyPoint now = clock_.steady_now();
    if (!limit_error && limits.timeout.count() > 0 && now >= begin + limits.timeout) {
      limit_error = fail(Reason::timeout,
                         fmt::format("plugin '{}' did not finish '{}' within {}", command_.name,
                                     method, format_duration(limits.timeout)),
                         "raise the stage's limit under 'timeouts:' if the backup has grown");
    } else if (!limit_error && limits.stall.count() > 0 && now >= last_change_ + limits.stall) {
      limit_error = fail(Reason::timeout,
                         fmt::format("plugin '{}' made no progress in '{}' for {}", command_.name,
                                     method, format_duration(limits.stall)),
                         "look at the storage and at gpg; agent.stall_timeout sets this limit");
    }
    if ((cancel_wanted_ || limit_error) && !cancelled_at) {
      cancelled_at = now;
      // A name of its own: g++ 12 destroys a braced temporary in a co_await expression twice.
      const std::string cancel = protocol::encode(protocol::Notification{"cancel", {}});
      co_await send(cancel, now + limits.grace);
      continue;
    }
    std::optional<SteadyPoint> until;
    auto sooner = [&until](SteadyPoint point) { until = until ? std::min(*until, point) : point; };
    if (cancelled_at) {
      if (now >= *cancelled_at + limits.grace) {
        break_off(limit_error.value_or(fail(
            Reason::cancelled,
            fmt::format("plugin '{}' had to be killed: it did not obey 'cancel'", command_.name))));
        break;
      }
      sooner(*cancelled_at + limits.grace);
    } else {
      if (limits.timeout.count() > 0) sooner(begin + limits.timeout);
      if (limits.stall.count() > 0) sooner(last_change_ + limits.stall);
    }
    co_await wait_change(until);
  }
  calling_ = false;
  cancel_wanted_ = false;
  if (limit_error) {
    limit_error->retryable = true;
    co_return *limit_error;
  }
  if (broken_) co_return *broken_;
  if (answer_->error) co_return std::move(*answer_->error);
  co_return std::move(*answer_->result);
}

asio::awaitable<void> PluginProcess::Impl::stop(std::chrono::milliseconds patience) {
  if (alive_ && !broken_ && !calling_) {
    co_await call("shutdown", {}, CallLimits{patience, std::chrono::milliseconds(0), patience});
  }
  boost::system::error_code ignored;
  input_closed_ = true;
  input_.close(ignored);
  for (const int signal : {0, SIGTERM, SIGKILL}) {
    if (alive_ && signal != 0) ::kill(pid_, signal);
    const SteadyPoint until = clock_.steady_now() + patience;
    while (alive_ && (signal == SIGKILL || clock_.steady_now() < until)) {
      co_await wait_change(until);
    }
  }
  // Outputs end with the namespace; a descriptor that leaked out of it must not hold us for ever.
  const SteadyPoint until = clock_.steady_now() + std::chrono::seconds(5);
  while ((!output_ended_ || !errors_ended_) && clock_.steady_now() < until) {
    co_await wait_change(until);
  }
  output_.close(ignored);
  errors_.close(ignored);
}

Result<std::unique_ptr<PluginProcess>> PluginProcess::start(asio::any_io_executor executor,
                                                            PluginCommand command) {
  auto impl = std::make_shared<Impl>(std::move(executor), std::move(command));
  RAD_CHECK(impl->launch());
  return std::unique_ptr<PluginProcess>(new PluginProcess(std::move(impl)));
}

PluginProcess::PluginProcess(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
PluginProcess::~PluginProcess() {
  impl_->abandon();
}
const std::string& PluginProcess::name() const noexcept {
  return impl_->command_.name;
}
int PluginProcess::pid() const noexcept {
  return impl_->pid();
}
bool PluginProcess::alive() const noexcept {
  return impl_->alive();
}
void PluginProcess::on_progress(ProgressHandler handler) {
  impl_->on_progress_ = std::move(handler);
}
void PluginProcess::on_log(LogHandler handler) {
  impl_->on_log_ = std::move(handler);
}
asio::awaitable<Result<boost::json::object>> PluginProcess::call(std::string method,
                                                                 boost::json::object params,
                                                                 CallLimits limits) {
  return impl_->call(std::move(method), std::move(params), limits);
}
void PluginProcess::cancel() {
  impl_->cancel();
}
asio::awaitable<void> PluginProcess::stop(std::chrono::milliseconds patience) {
  return impl_->stop(patience);
}
void PluginProcess::kill() noexcept {
  impl_->kill();
}
std::optional<Error> PluginProcess::early_end() const {
  return impl_->early_end();
}
std::string PluginProcess::captured_log() const {
  return impl_->log_.text();
}

}  // namespace rad
