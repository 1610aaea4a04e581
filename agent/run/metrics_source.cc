#include "agent/run/metrics_source.h"

#include <algorithm>
#include <set>

#include "agent/base/files.h"
#include "agent/config/plugin_check.h"
#include "agent/report/issue_directory.h"
#include "agent/run/workspace.h"

namespace rad {
namespace {

const ScheduleView* view_of(const DaemonState& state, const std::string& target,
                            const std::string& schedule) {
  for (const ScheduleView& view : state.schedules) {
    if (view.target == target && view.schedule == schedule) return &view;
  }
  return nullptr;
}

MetricsSchedule describe(const ScheduleView* view, const std::string& name, Depth depth) {
  MetricsSchedule entry{.name = name, .depth = depth};
  if (view != nullptr) entry.next_run = view->next;
  if (view != nullptr) entry.expected_interval = view->longest_interval;
  entry.paused = view != nullptr && view->pause.has_value();
  return entry;
}

MetricsTarget describe(const Config& config, const TargetConfig& target,
                       const PluginSchemas& plugins, const std::vector<RunReport>& unfinished,
                       const DaemonState& state) {
  MetricsTarget row;
  row.name = target.name;
  row.rto = target.objectives.rto;
  row.rpo = target.objectives.rpo;
  for (const RoutedCheck& routed : route_checks(target, plugins)) {
    row.checks.push_back(routed.check.name);
  }
  for (const ScheduleConfig& schedule : target.schedules) {
    row.schedules.push_back(
        describe(view_of(state, target.name, schedule.name), schedule.name, schedule.depth));
  }
  for (const RotationConfig& rotation : config.rotations) {
    if (std::ranges::find(rotation.members, target.name) == rotation.members.end()) continue;
    MetricsSchedule entry =
        describe(view_of(state, rotation.name, rotation.name), rotation.name, rotation.depth);
    // The turn of one member may come right away or after all others.
    if (entry.expected_interval) *entry.expected_interval *= rotation.members.size();
    entry.rotates = true;
    row.schedules.push_back(std::move(entry));
  }
  const auto covered = state.coverage.find(target.name);
  if (covered != state.coverage.end()) row.coverage = covered->second;
  row.run_in_progress =
      std::any_of(unfinished.begin(), unfinished.end(), [&](const RunReport& run) {
        return run.target == target.name && RunLock::alive(config.agent.state_dir, run.id);
      });
  return row;
}

}  // namespace

std::uint64_t leftover_bytes(Store& store, const AgentOptions& options, TimePoint now) {
  const auto entries = store.ledger();
  if (!entries) return 0;
  std::uint64_t bytes = 0;
  for (const LedgerEntry& entry : *entries) {
    const bool kept = entry.kind == LedgerKind::kept && entry.keep_until && *entry.keep_until > now;
    if (!kept && !RunLock::alive(options.state_dir, entry.run_id)) bytes += tree_bytes(entry.path);
  }
  return bytes;
}

Result<MetricsInput> gather_metrics(const Config& config, const PluginSchemas& plugins,
                                    Store& store, const DaemonState& state) {
  MetricsInput input;
  input.version = RAD_VERSION;
  input.scheduler_last_tick = state.last_tick;
  input.config_last_reload_successful = state.config_reload_ok;
  RAD_TRY(const std::vector<RunReport> unfinished, store.unfinished_runs());
  for (const TargetConfig& target : config.targets) {
    input.targets.push_back(describe(config, target, plugins, unfinished, state));
  }
  for (const RotationConfig& rotation : config.rotations) input.rotations.push_back(rotation.name);
  for (const ReporterConfig& reporter : config.reporters) {
    input.reporters.push_back(reporter.name);
  }
  RAD_TRY(input.latest, store.latest_runs());
  RAD_TRY(input.counters, store.counters());
  RAD_TRY(input.missed, store.missed_counts());
  input.store_durable = store.durable() && !state.store_in_trouble;
  for (const ReporterConfig& reporter : config.reporters) {
    if (reporter.kind != "issue_directory") continue;
    RAD_TRY(const std::vector<IssueChange> issues,
            IssueDirectory(reporter.issue_directory.path).open_issues());
    for (const IssueChange& issue : issues)
      input.open_issues.push_back({issue.target, issue.depth});
  }
  if (const auto free = free_bytes(config.agent.scratch_dir)) input.scratch_free_bytes = *free;
  input.leftover_bytes = state.leftover_bytes;
  return input;
}

}  // namespace rad
