// Work that may block for ever through no fault of ours, such as a question to the name service.
#pragma once

#include <functional>

namespace rad {

/// Does `work` in a thread of its own that nobody waits for: it must own everything it touches and
/// must not throw. The caller bounds how many there are. \return whether it could be started.
bool start_detached(std::function<void()> work) noexcept;

}  // namespace rad
