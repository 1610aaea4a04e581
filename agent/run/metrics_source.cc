#include "agent/run/metrics_source.h"

#include <functional>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include <boost/asio/use_awaitable.hpp>

#include "agent/base/files.h"
#include "agent/config/plugin_check.h"
#include "agent/report/issue_directory.h"
#include "agent/run/workspace.h"

namespace rad {
namespace {

using Views = std::map<std::pair<std::string_view, std::string_view>, const ScheduleView*>;

const ScheduleView* view_of(const Views& views, const std::string& target,
                            const std::string& schedule) {
  const auto found = views.find({target, schedule});
  return found == views.end() ? nullptr : found->second;
}

/// Targets that a run goes on for, in this process or another.
std::set<std::string> being_tested(const AgentOptions& options, const DaemonState& state,
                                   const std::vector<RunReport>& begun) {
  std::set<std::string> targets;
  for (const RunReport& run : begun) {
    if (!state.swept.contains(run.id) && RunLock::alive(options.state_dir, run.id)) {
      targets.insert(run.target);
    }
  }
  return targets;
}

MetricsSchedule describe(const ScheduleView* view, const std::string& name, Depth depth) {
  MetricsSchedule entry{.name = name, .depth = depth};
  if (view != nullptr) entry.next_run = view->next;
  if (view != nullptr) entry.expected_interval = view->longest_interval;
  entry.paused = view != nullptr && view->pause.has_value();
  return entry;
}

/// What is looked up for each of thousands of targets and schedules.
struct Known {
  Views views;
  std::map<std::string, std::vector<const RotationConfig*>> rotations;  ///< by member
  std::set<std::string> tested;
};

MetricsTarget describe(const TargetConfig& target, const PluginSchemas& plugins, const Known& known,
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
        describe(view_of(known.views, target.name, schedule.name), schedule.name, schedule.depth));
  }
  if (const auto turns = known.rotations.find(target.name); turns != known.rotations.end()) {
    for (const RotationConfig* rotation : turns->second) {
      MetricsSchedule entry = describe(view_of(known.views, rotation->name, rotation->name),
                                       rotation->name, rotation->depth);
      // The turn of one member may come right away or after all others.
      if (entry.expected_interval) *entry.expected_interval *= rotation->members.size();
      entry.rotates = true;
      row.schedules.push_back(std::move(entry));
    }
  }
  const auto covered = state.coverage.find(target.name);
  if (covered != state.coverage.end()) row.coverage = covered->second;
  row.untestable = state.untestable.contains(target.name);
  row.run_in_progress = known.tested.contains(target.name);
  return row;
}

}  // namespace

boost::asio::awaitable<Result<std::uint64_t>> leftover_bytes(OffLoop& off_loop, Store& store,
                                                             std::filesystem::path state_dir,
                                                             TimePoint now) {
  RAD_CO_TRY(const std::vector<LedgerEntry> entries, store.ledger());
  std::vector<std::filesystem::path> left;
  for (const LedgerEntry& entry : entries) {
    const bool kept = entry.kind == LedgerKind::kept && entry.keep_until && *entry.keep_until > now;
    if (!kept && !RunLock::alive(state_dir, entry.run_id)) left.emplace_back(entry.path);
  }
  if (left.empty()) co_return 0;
  auto bytes = std::make_shared<std::uint64_t>(0);
  std::function<Status()> work = [bytes, left = std::move(left)] {
    for (const std::filesystem::path& path : left) *bytes += tree_bytes(path);
    return Status{};
  };
  RAD_CO_CHECK(co_await off_loop.run(std::move(work)));
  co_return *bytes;
}

Result<MetricsInput> gather_metrics(const Config& config, const PluginSchemas& plugins,
                                    Store& store, const DaemonState& state) {
  MetricsInput input;
  input.version = RAD_VERSION;
  input.scheduler_last_tick = state.last_tick;
  input.config_last_reload_successful = state.config_reload_ok;
  RAD_TRY(const std::vector<RunReport> unfinished, store.unfinished_runs());
  Known known;
  known.tested = being_tested(config.agent, state, unfinished);
  for (const ScheduleView& view : state.schedules) {
    known.views[{view.target, view.schedule}] = &view;
  }
  for (const RotationConfig& rotation : config.rotations) {
    for (const std::string& member : rotation.members) known.rotations[member].push_back(&rotation);
  }
  for (const TargetConfig& target : config.targets) {
    input.targets.push_back(describe(target, plugins, known, state));
  }
  for (const RotationConfig& rotation : config.rotations) input.rotations.push_back(rotation.name);
  for (const ReporterConfig& reporter : config.reporters) {
    input.reporters.push_back(reporter.name);
  }
  RAD_TRY(input.latest, store.latest_runs(state.last_tick));
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
