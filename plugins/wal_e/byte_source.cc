#include "plugins/wal_e/byte_source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>

namespace rad::wal_e {

Result<StopSignal> StopSignal::make() {
  StopSignal signal;
  signal.fd_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!signal.fd_) {
    return fail(Reason::host_unfit, fmt::format("cannot make an event descriptor: {}",
                                                std::generic_category().message(errno)));
  }
  signal.raised_ = std::make_unique<std::atomic<bool>>(false);
  return signal;
}

void StopSignal::raise() noexcept {
  raised_->store(true, std::memory_order_relaxed);
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(fd_.get(), &one, sizeof one);
}

FdSource::FdSource(int fd, const StopSignal& stop, std::chrono::milliseconds patience)
    : fd_(fd), stop_(stop), patience_(patience) {
  struct stat status {};
  regular_ = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/// gpg writes 4 KiB at a time. A reader that waits in poll() is woken for each; one that is away
/// for a moment finds many, and neither side has had to switch.
void FdSource::let_gather() const {
  constexpr timespec kMoment{.tv_sec = 0, .tv_nsec = 100'000};
  pollfd stop{.fd = stop_.fd(), .events = POLLIN, .revents = 0};
  ::ppoll(&stop, 1, &kMoment, nullptr);
}

Status FdSource::wait_readable() const {
  pollfd waits[2] = {{.fd = fd_, .events = POLLIN, .revents = 0},
                     {.fd = stop_.fd(), .events = POLLIN, .revents = 0}};
  const int limit = patience_.count() > 0 ? static_cast<int>(patience_.count()) : -1;
  for (;;) {
    const int ready = ::poll(waits, 2, limit);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) {
      return fail(Reason::host_unfit,
                  fmt::format("cannot wait for data: {}", std::generic_category().message(errno)));
    }
    if (ready == 0) {
      return fail(Reason::timeout, fmt::format("no data came for {} s", patience_.count() / 1000));
    }
    return {};
  }
}

Result<std::size_t> FdSource::read(std::span<std::byte> first, std::span<std::byte> second) {
  iovec parts[2] = {{first.data(), first.size()}, {second.data(), second.size()}};
  for (;;) {
    if (ran_dry_) let_gather();
    if (!regular_) RAD_CHECK(wait_readable());
    if (stop_.raised()) return fail(Reason::cancelled, "reading was stopped");
    const ssize_t got = ::readv(fd_, parts, 2);
    if (got >= 0) {
      ran_dry_ = !regular_ && got > 0 && static_cast<std::size_t>(got) < first.size();
      count_.fetch_add(static_cast<std::uint64_t>(got), std::memory_order_relaxed);
      return static_cast<std::size_t>(got);
    }
    if (errno == EINTR || errno == EAGAIN) continue;
    Error error = fail(Reason::storage_unreachable,
                       fmt::format("reading failed: {}", std::generic_category().message(errno)),
                       "look at the storage's mount and the kernel's log of this host");
    error.retryable = true;
    return error;
  }
}

Result<std::size_t> MemorySource::read(std::span<std::byte> first, std::span<std::byte> second) {
  std::size_t allowed = std::min(rest_.size(), step_ == 0 ? rest_.size() : step_);
  std::size_t total = 0;
  for (const std::span<std::byte> part : {first, second}) {
    const std::size_t size = std::min(part.size(), allowed);
    if (size > 0) std::memcpy(part.data(), rest_.data(), size);
    rest_ = rest_.subspan(size);
    allowed -= size;
    total += size;
  }
  return total;
}

}  // namespace rad::wal_e
