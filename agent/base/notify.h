// Telling the service manager, by the protocol of sd_notify(3).
#pragma once

#include <string_view>

namespace rad {

/// Sends one state ("READY=1", "STOPPING=1") to the socket that $NOTIFY_SOCKET names. Without one,
/// or when it cannot be reached, nothing happens.
void notify(std::string_view state) noexcept;

}  // namespace rad
