#include "agent/run/scheduler.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/schedule/due.h"

namespace rad {

namespace {

/// Runs looked at per target: enough for every retry of a slot.
constexpr std::size_t kHistory = 200;

PastRun to_past(const RunSummary& run) {
  PastRun past;
  past.schedule = run.schedule;
  past.depth = run.depth;
  past.begun_at = run.created_at;
  past.ended_at = run.ended_at;
  past.verdict = run.verdict;
  past.interrupted = run.reason == Reason::interrupted;
  return past;
}

}  // namespace

class Scheduler::Impl {
 public:
  Impl(Store& store, const Clock& clock) : store_(store), clock_(clock) {}

  Status configure(const Config& config);
  Result<std::vector<PlannedStart>> tick(const SchedulerInput& input);

  Store& store_;
  const Clock& clock_;
  std::vector<ScheduleView> views_;
  std::map<std::string, std::string> waits_;
  TimePoint wake_ = TimePoint::max();

 private:
  Result<std::vector<DueSchedule>> standings(const Config& config);
  std::map<std::pair<std::string, std::string>, TimePoint> known_since_;
};

Status Scheduler::Impl::configure(const Config& config) {
  RAD_TRY(const std::vector<ScheduleState> known, store_.list_schedules());
  for (const ScheduleState& row : known) {
    if (row.first_seen) known_since_[{row.target, row.schedule}] = *row.first_seen;
  }
  for (const TargetConfig& target : config.targets) {
    for (const ScheduleConfig& schedule : target.schedules) {
      if (known_since_.count({target.name, schedule.name}) != 0) continue;
      ScheduleState row;
      row.target = target.name;
      row.schedule = schedule.name;
      row.first_seen = clock_.now();
      RAD_CHECK(store_.put_schedule(row));
      known_since_[{target.name, schedule.name}] = *row.first_seen;
    }
  }
  return {};
}

Result<std::vector<DueSchedule>> Scheduler::Impl::standings(const Config& config) {
  std::vector<DueSchedule> all;
  views_.clear();
  for (const TargetConfig& target : config.targets) {
    if (target.schedules.empty()) continue;
    RunFilter filter;
    filter.target = target.name;
    filter.limit = kHistory;
    RAD_TRY(const std::vector<RunSummary> runs, store_.list_summaries(filter));
    std::vector<PastRun> past;
    for (const RunSummary& run : runs) past.push_back(to_past(run));
    for (const ScheduleConfig& schedule : target.schedules) {
      RAD_TRY(const CronSchedule cron, CronSchedule::make(schedule.cron, schedule.time_zone));
      const auto since = known_since_.find({target.name, schedule.name});
      all.push_back({target.name, schedule.name, schedule.depth,
                     state_of(cron, schedule.name, schedule.depth,
                              since == known_since_.end() ? clock_.now() : since->second, past,
                              clock_.now())});
      const ScheduleStanding& state = all.back().state;
      ScheduleView view;
      view.target = target.name;
      view.schedule = schedule.name;
      view.depth = schedule.depth;
      view.when = schedule.cron.text();
      view.time_zone = schedule.time_zone;
      view.state = to_string(state.state);
      view.slot = state.slot;
      view.next = state.start_at;
      view.attempts = state.attempts;
      views_.push_back(std::move(view));
    }
  }
  return all;
}

Result<std::vector<PlannedStart>> Scheduler::Impl::tick(const SchedulerInput& input) {
  RAD_TRY(std::vector<DueSchedule> all, standings(input.config));
  wake_ = rad::next_wake(all);
  waits_.clear();
  std::vector<PlannedStart> chosen;
  std::size_t running = input.running;
  const auto most = static_cast<std::size_t>(input.config.agent.max_concurrent_runs);
  auto taken = input.busy;
  auto try_to_start = [&](PlannedStart start) -> std::string {
    const auto busy = taken.find(start.target);
    if (busy != taken.end()) return busy->second;
    if (running >= most) return fmt::format("{} of {} runs are going on", running, most);
    ++running;
    taken[start.target] = "a run of the same target";
    chosen.push_back(std::move(start));
    return "";
  };
  for (const QueuedRequest& request : input.requests) {
    waits_[request.id] =
        try_to_start({request.target, request.schedule, request.depth, std::nullopt, request.id});
  }
  for (const DueSchedule& due : choose_due(std::move(all))) {
    const std::string why =
        try_to_start({due.target, due.schedule, due.depth, due.state.slot, std::nullopt});
    for (ScheduleView& view : views_) {
      if (view.target == due.target && view.schedule == due.schedule) view.waits_for = why;
    }
  }
  return chosen;
}

Scheduler::Scheduler(Store& store, const Clock& clock)
    : impl_(std::make_unique<Impl>(store, clock)) {}
Scheduler::~Scheduler() = default;
Status Scheduler::configure(const Config& config) {
  return impl_->configure(config);
}
Result<std::vector<PlannedStart>> Scheduler::tick(const SchedulerInput& input) {
  return impl_->tick(input);
}
const std::vector<ScheduleView>& Scheduler::views() const noexcept {
  return impl_->views_;
}
std::string Scheduler::waits_for(const std::string& request_id) const {
  const auto found = impl_->waits_.find(request_id);
  return found == impl_->waits_.end() ? "" : found->second;
}
TimePoint Scheduler::next_wake() const noexcept {
  return impl_->wake_;
}
std::map<std::string, double> Scheduler::coverage() const {
  return {};
}

}  // namespace rad
