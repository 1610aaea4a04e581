#include "agent/run/run_state.h"

#include <fmt/format.h>

#include "agent/base/log.h"

namespace rad {

void RunState::write_record() {
  const Status written = services.store.update_run(report);
  if (!written) log::error(fmt::format("run {}: {}", report.id, written.error().message));
}

RunPlugin* RunState::find(const std::string& name) {
  for (RunPlugin& plugin : plugins) {
    if (plugin.name == name) return &plugin;
  }
  return nullptr;
}

std::chrono::milliseconds RunState::since(SteadyPoint begin) const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(services.clock.steady_now() - begin);
}

CallLimits RunState::limits(Stage stage) const {
  CallLimits limits;
  limits.timeout = stage_limits.at(stage);
  // A check of one large relation may rightly say nothing for longer than a stream may.
  if (stage != Stage::check) limits.stall = services.options.stall_timeout;
  return limits;
}

void RunState::add_findings(std::vector<Finding> findings) {
  for (Finding& finding : findings) report.findings.push_back(std::move(finding));
}

}  // namespace rad
