// How long the stages of a run may take. Pure.
#pragma once

#include <chrono>
#include <map>

#include "agent/config/config.h"
#include "agent/model/run_report.h"

namespace rad {

using StageLimits = std::map<Stage, std::chrono::milliseconds>;

/// The configured limits; for every other stage three times its longest duration in `history`
/// (ended runs of the same target and depth), but at least the stage's floor: 5 minutes for
/// preflight and cleanup, one hour for the others. Without history a stage that moves data has 72
/// hours, since the first restore of a large cluster takes a day and the stall limit watches it.
StageLimits stage_limits(const TargetConfig& target, const std::vector<RunReport>& history);

}  // namespace rad
