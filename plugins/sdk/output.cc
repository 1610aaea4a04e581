#include "plugins/sdk/output.h"

#include <algorithm>
#include <cerrno>
#include <climits>

#include <poll.h>
#include <unistd.h>

#include "plugins/sdk/stop_signal.h"

namespace rad::sdk {
namespace {

constexpr int kPatienceSliceMs = 100;
constexpr int kPatienceSlices = 20;

}  // namespace

bool Output::wait_until_writable() {
  int waited = 0;
  while (true) {
    pollfd wanted{.fd = fd_, .events = POLLOUT, .revents = 0};
    const int ready = ::poll(&wanted, 1, kPatienceSliceMs);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    const bool hurry = hurried_.load() || StopSignal::raised();
    if (hurry && ++waited > kPatienceSlices) return false;
  }
}

bool Output::write(std::string_view line) {
  const std::lock_guard lock(mutex_);
  while (!line.empty() && !gone_.load()) {
    if (!wait_until_writable()) {
      gone_.store(true);
      break;
    }
    // A pipe that polls as writable takes this much without blocking; making it non-blocking would
    // change it for everybody who shares it.
    const std::size_t chunk = std::min<std::size_t>(line.size(), PIPE_BUF);
    const ssize_t written = ::write(fd_, line.data(), chunk);
    if (written > 0) {
      line.remove_prefix(static_cast<std::size_t>(written));
    } else if (written < 0 && errno != EINTR && errno != EAGAIN) {
      gone_.store(true);
    }
  }
  return !gone_.load();
}

}  // namespace rad::sdk
