// Telling the service manager, by the protocol of sd_notify(3).
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace rad {

/// Sends one state ("READY=1", "STOPPING=1") to the socket that $NOTIFY_SOCKET names. Without one,
/// or when it cannot be reached, nothing happens.
void notify(std::string_view state) noexcept;

/// How many sockets the service manager has handed over, from descriptor 3 on ($LISTEN_FDS, if
/// $LISTEN_PID is this process). At most 1000.
int inherited_sockets() noexcept;

/// How often the service manager wants "WATCHDOG=1" at the latest ($WATCHDOG_USEC, if $WATCHDOG_PID
/// is this process or not set). Nothing: it does not watch.
std::optional<std::chrono::microseconds> watchdog_interval() noexcept;

}  // namespace rad
