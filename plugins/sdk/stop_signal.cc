#include "plugins/sdk/stop_signal.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace rad::sdk {
namespace {

constexpr std::array kSignals{SIGTERM, SIGINT, SIGHUP, SIGPIPE};

// A signal handler can reach nothing but globals.
std::atomic<int> event_fd{-1};
std::atomic<bool> was_raised{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

extern "C" void on_stop(int /*signal*/) {
  const int saved = errno;
  was_raised.store(true);
  const std::uint64_t one = 1;
  // An eventfd that is full is readable already.
  [[maybe_unused]] const ssize_t written = ::write(event_fd.load(), &one, sizeof one);
  errno = saved;
}

extern "C" void on_pipe(int /*signal*/) {}

}  // namespace

Result<StopSignal> StopSignal::install() {
  // Never closed: a handler that runs on another thread at the end could write to whatever has the
  // number then.
  static const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event < 0) {
    return fail(Reason::host_unfit, fmt::format("cannot make an eventfd: {}", strerror(errno)));
  }
  std::uint64_t earlier = 0;
  [[maybe_unused]] const ssize_t count = ::read(event, &earlier, sizeof earlier);
  was_raised.store(false);
  event_fd.store(event);
  StopSignal signal;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction action {};
    action.sa_handler = kSignals[i] == SIGPIPE ? on_pipe : on_stop;
    action.sa_flags = SA_RESTART;
    ::sigaction(kSignals[i], &action, &signal.before_[i]);
  }
  return signal;
}

StopSignal::StopSignal(StopSignal&& other) noexcept
    : installed_(std::exchange(other.installed_, false)), before_(other.before_) {}

StopSignal::~StopSignal() {
  if (!installed_) return;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], &before_[i], nullptr);
  }
}

int StopSignal::fd() const noexcept {
  return event_fd.load();
}

bool StopSignal::raised() noexcept {
  return was_raised.load();
}

}  // namespace rad::sdk
