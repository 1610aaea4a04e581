// Where the schedules stand, for people. Internal to agent/run; pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/run/daemon_views.h"
#include "agent/schedule/tick.h"

namespace rad {

/// One row for each schedule and rotation, in the order of the configuration.
std::vector<ScheduleView> schedule_views(const Config& config, const Plan& plan, const World& world,
                                         const Tick& tick, TimePoint now);

/// When the last run of the target at this depth or deeper began that passed or failed.
std::optional<TimePoint> last_answer(const World& world, const std::string& target, Depth depth);

}  // namespace rad
