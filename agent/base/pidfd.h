// Handles of processes, which never come to mean another process. System calls: glibc 2.36 declares
// its wrappers without C linkage.
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "agent/base/unique_fd.h"

namespace rad {

/// A descriptor that becomes readable when the process `pid` ends; FD_CLOEXEC. None, and errno, if
/// there is no such process.
inline UniqueFd open_pidfd(pid_t pid) noexcept {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

/// Harmless after the end of the process.
inline void send_signal(const UniqueFd& pidfd, int signal) noexcept {
  if (pidfd) ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
}

}  // namespace rad
