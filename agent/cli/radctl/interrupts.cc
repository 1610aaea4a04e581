#include "agent/cli/radctl/interrupts.h"

#include <poll.h>
#include <sys/signalfd.h>

namespace rad::radctl {

Interrupts::Interrupts() {
  sigset_t held{};
  sigemptyset(&held);
  sigaddset(&held, SIGINT);
  sigaddset(&held, SIGTERM);
  sigprocmask(SIG_BLOCK, &held, &before_);
  fd_.reset(::signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK));
}

Interrupts::~Interrupts() {
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

bool Interrupts::pending() const noexcept {
  pollfd entry{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, 0) > 0;
}

bool Interrupts::take() noexcept {
  signalfd_siginfo info{};
  return ::read(fd_.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info));
}

bool Interrupts::wait(std::chrono::milliseconds limit) noexcept {
  pollfd entry{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, static_cast<int>(limit.count())) > 0 && take();
}

}  // namespace rad::radctl
