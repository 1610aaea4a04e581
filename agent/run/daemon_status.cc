// What the daemon tells about itself.
#include <algorithm>
#include <set>

#include "agent/base/files.h"
#include "agent/config/plugin_check.h"
#include "agent/run/daemon_impl.h"
#include "agent/schedule/pause.h"

namespace rad {
namespace {

/// A rotation as one of its members sees it.
ScheduleView seen_by(const ScheduleView& rotation, const std::string& member,
                     const std::vector<Pause>& pauses, TimePoint now) {
  ScheduleView view = rotation;
  const Pause* own = pause_of(pauses, member, rotation.schedule, now);
  if (own != nullptr && !view.pause) view.pause = *own;
  return view;
}

void add_proof(TargetView& view, const LatestRun& row) {
  auto proof = std::ranges::find(view.proofs, row.report.depth, &ProofView::depth);
  if (proof == view.proofs.end()) proof = view.proofs.insert(proof, {.depth = row.report.depth});
  if (row.last_success && (!proof->proved_at || *proof->proved_at < *row.last_success)) {
    proof->proved_at = row.last_success;
  }
  if (!proof->ended_at || (row.report.ended_at && *proof->ended_at < *row.report.ended_at)) {
    proof->run_id = row.report.id;
    proof->verdict = row.report.verdict;
    if (row.report.cause) proof->reason = row.report.cause->reason;
    proof->ended_at = row.report.ended_at;
  }
}

}  // namespace

std::string Daemon::Impl::store_problem() const {
  std::string problem = keeper_.problem();
  return problem.empty() ? store_error_ : problem;
}

StatusView Daemon::Impl::status() const {
  StatusView view;
  view.version = RAD_VERSION;
  view.started_at = started_at_;
  view.last_tick = state_.last_tick.value_or(started_at_);
  view.config_loaded_at = config_loaded_at_;
  view.config_error = config_error_;
  view.store_error = store_problem();
  view.troubles = troubles();
  view.ready = ready();
  view.targets = config().targets.size();
  view.schedules = scheduler_.views().size();
  if (const auto free = free_bytes(config().agent.scratch_dir)) view.scratch_free = *free;
  view.leftover_bytes = state_.leftover_bytes;
  view.running = live_.list();
  for (const QueuedRequest& request : queue_.requests()) {
    if (live_.feed(request.id)) continue;
    // A reload may have taken the target away; it may come back with the next one.
    std::string waits_for = config().find_target(request.target) != nullptr
                                ? scheduler_.waits_for(request.id)
                                : "its target, which the configuration no longer has";
    view.waiting.push_back({request.id, request.target, request.depth, request.requested_by,
                            request.note, request.requested_at, std::move(waits_for)});
  }
  view.holds = holds_.views(config().agent);
  if (auto pauses = store_.list_pauses()) view.pauses = std::move(*pauses);
  return view;
}

Result<std::vector<TargetView>> Daemon::Impl::targets() const {
  RAD_TRY(const std::vector<LatestRun> latest, store_.latest_runs(clock_.now()));
  RAD_TRY(const std::vector<Pause> pauses, store_.list_pauses());
  std::vector<TargetView> views;
  for (const TargetConfig& target : config().targets) {
    TargetView view;
    view.name = target.name;
    view.restore_plugin = target.restore.plugin;
    if (target.instance) view.instance_plugin = target.instance->plugin;
    for (const RoutedCheck& routed : route_checks(target, context_->generation->catalog.schemas)) {
      view.checks.push_back(routed.check.name);
    }
    for (const ScheduleView& schedule : scheduler_.views()) {
      const bool own = schedule.target == target.name && schedule.turns == 0;
      if (own) view.schedules.push_back(schedule);
    }
    views.push_back(std::move(view));
  }
  for (const RotationConfig& rotation : config().rotations) {
    const auto row = std::ranges::find_if(scheduler_.views(), [&](const ScheduleView& one) {
      return one.turns != 0 && one.schedule == rotation.name && one.target == rotation.name;
    });
    if (row == scheduler_.views().end()) continue;
    ScheduleView view_of_all = *row;
    view_of_all.members.clear();
    const std::set<std::string> members(rotation.members.begin(), rotation.members.end());
    for (TargetView& view : views) {
      if (!members.contains(view.name)) continue;
      view.schedules.push_back(seen_by(view_of_all, view.name, pauses, clock_.now()));
    }
  }
  for (const LatestRun& row : latest) {
    const auto view = std::ranges::find(views, row.report.target, &TargetView::name);
    if (view == views.end()) continue;
    add_proof(*view, row);
    // The ids begin with the time.
    if (row.report.cleanup == CleanupResult::failed && row.report.id > view->cleanup_failed) {
      view->cleanup_failed = row.report.id;
    }
  }
  for (TargetView& view : views) std::ranges::sort(view.proofs, {}, &ProofView::depth);
  return views;
}

}  // namespace rad
