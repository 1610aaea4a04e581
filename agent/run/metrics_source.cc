#include "agent/run/metrics_source.h"

#include <algorithm>
#include <set>

#include "agent/base/files.h"
#include "agent/config/plugin_check.h"
#include "agent/report/issue_directory.h"
#include "agent/run/workspace.h"
#include "agent/schedule/cron.h"

namespace rad {
namespace {

MetricsTarget describe(const TargetConfig& target, const PluginSchemas& plugins,
                       const std::vector<RunReport>& unfinished, const AgentOptions& options,
                       TimePoint now) {
  MetricsTarget row;
  row.name = target.name;
  row.rto = target.objectives.rto;
  row.rpo = target.objectives.rpo;
  for (const RoutedCheck& routed : route_checks(target, plugins)) {
    row.checks.push_back(routed.check.name);
  }
  for (const ScheduleConfig& schedule : target.schedules) {
    MetricsSchedule entry{schedule.name, schedule.depth, std::nullopt, std::nullopt};
    const auto cron = CronSchedule::make(schedule.cron, schedule.time_zone);
    if (cron) {
      entry.next_run = cron->next(now);
      entry.expected_interval = cron->longest_interval();
    }
    row.schedules.push_back(std::move(entry));
  }
  row.run_in_progress =
      std::any_of(unfinished.begin(), unfinished.end(), [&](const RunReport& run) {
        return run.target == target.name && RunLock::alive(options.state_dir, run.id);
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
                                    Store& store, const Clock& clock, const DaemonState& state) {
  MetricsInput input;
  input.version = RAD_VERSION;
  input.scheduler_last_tick = state.last_tick;
  input.config_last_reload_successful = state.config_reload_ok;
  RAD_TRY(const std::vector<RunReport> unfinished, store.unfinished_runs());
  for (const TargetConfig& target : config.targets) {
    input.targets.push_back(describe(target, plugins, unfinished, config.agent, clock.now()));
  }
  for (const ReporterConfig& reporter : config.reporters) {
    input.reporters.push_back(reporter.name);
  }
  RAD_TRY(input.latest, store.latest_runs());
  RAD_TRY(input.counters, store.counters());
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
