#include "agent/run/stage_limits.h"

#include <algorithm>

namespace rad {

StageLimits stage_limits(const TargetConfig& target, const std::vector<RunReport>& history) {
  using namespace std::chrono_literals;
  std::map<Stage, std::chrono::milliseconds> longest;
  for (const RunReport& run : history) {
    for (const StageRecord& stage : run.stages) {
      if (!stage.ended_at || stage.error) continue;
      auto& known = longest[stage.stage];
      known = std::max(known, std::chrono::milliseconds(*stage.ended_at - stage.started_at));
    }
  }
  StageLimits limits;
  for (const Stage stage : {Stage::preflight, Stage::fetch, Stage::restore, Stage::recover,
                            Stage::check, Stage::cleanup}) {
    if (const auto configured = target.timeouts.find(stage); configured != target.timeouts.end()) {
      limits[stage] = configured->second;
      continue;
    }
    const bool quick = stage == Stage::preflight || stage == Stage::cleanup;
    const std::chrono::milliseconds floor = quick ? 5min : std::chrono::milliseconds(1h);
    const auto known = longest.find(stage);
    limits[stage] = known != longest.end() ? std::max(floor, 3 * known->second)
                    : quick                ? floor
                                           : std::chrono::milliseconds(72h);
  }
  return limits;
}

}  // namespace rad
