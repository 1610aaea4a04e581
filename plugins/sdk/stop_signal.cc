#include "plugins/sdk/stop_signal.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>
#include <sys/eventfd.h>

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
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) {
    return fail(Reason::host_unfit, fmt::format("cannot make an eventfd: {}", strerror(errno)));
  }
  was_raised.store(false);
  event_fd.store(event.get());
  StopSignal signal(std::move(event));
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction action {};
    action.sa_handler = kSignals[i] == SIGPIPE ? on_pipe : on_stop;
    action.sa_flags = SA_RESTART;
    ::sigaction(kSignals[i], &action, &signal.before_[i]);
  }
  return signal;
}

StopSignal::StopSignal(StopSignal&& other) noexcept
    : event_(std::move(other.event_)), before_(other.before_) {}

StopSignal::~StopSignal() {
  if (!event_) return;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], &before_[i], nullptr);
  }
  event_fd.store(-1);
}

bool StopSignal::raised() noexcept {
  return was_raised.load();
}

}  // namespace rad::sdk
