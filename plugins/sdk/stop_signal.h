// SIGTERM, SIGINT and SIGHUP as a descriptor to poll. Internal to plugins/sdk.
#pragma once

#include <array>
#include <csignal>

#include "agent/base/error.h"

namespace rad::sdk {

/// While it lives the three signals make fd() readable instead of ending the process, and SIGPIPE
/// does nothing. Handlers, not a mask and not SIG_IGN: both would be inherited by gpg and
/// PostgreSQL, handlers are reset by exec. One at a time in a process.
class StopSignal {
 public:
  static Result<StopSignal> install();
  StopSignal(StopSignal&& other) noexcept;
  StopSignal& operator=(StopSignal&&) = delete;
  ~StopSignal();

  int fd() const noexcept;
  /// Thread-safe.
  static bool raised() noexcept;

 private:
  StopSignal() = default;

  bool installed_ = true;
  std::array<struct sigaction, 4> before_{};
};

}  // namespace rad::sdk
