// Schedules that somebody has stopped for a while. Runs that go on, and runs by hand, are not
// touched by a pause.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/model/operations.h"

namespace rad {

/// max() if only a person ends it.
TimePoint end_of(const Pause& pause) noexcept;

/// The pause in force that ends last; nullptr if there is none. `since` is only for people: a clock
/// that was set back does not end a pause.
const Pause* pause_of(const std::vector<Pause>& pauses, std::string_view target,
                      std::string_view schedule, TimePoint now) noexcept;

/// Who paused it, until when and why, for people.
std::string describe(const Pause& pause);

}  // namespace rad
