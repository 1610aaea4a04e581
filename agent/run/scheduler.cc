#include "agent/run/scheduler.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/run/run_history.h"
#include "agent/run/schedule_view.h"
#include "agent/run/workspace.h"
#include "agent/schedule/tick.h"

namespace rad {
using namespace std::chrono_literals;

namespace {

/// Missed slots that evaluate() may ask for after a clock was set back.
constexpr auto kMissedNeeded = 60 * 24h;
/// A wall clock that has moved by so much more than the steady one has been set.
constexpr auto kJump = 1min;
constexpr auto kForgetEvery = 1h;
/// While a run waits for scratch, how much more or less of it is worth a look.
constexpr unsigned kScratchStep = 26;  // 64 MiB, as a shift
/// And look anyway so often: what runs of other processes take is seen nowhere else.
constexpr auto kScratchLook = 1min;
/// More missed slots of a schedule are one line of the log, and more schedules too.
constexpr std::size_t kSaidApart = 3;

/// The slots of each schedule come together.
void say_missed(const std::vector<MissedSlot>& slots) {
  std::set<std::pair<std::string, std::string>> schedules;
  for (const MissedSlot& slot : slots) schedules.emplace(slot.target, slot.schedule);
  if (schedules.size() > kSaidApart) {
    const auto [first, last] = std::ranges::minmax(slots, {}, &MissedSlot::slot);
    log::warning(fmt::format(
        "{} times of {} schedules were missed, from {} to {}; radctl schedule "
        "list tells which. The last one, of {}/{} ({}): {}",
        slots.size(), schedules.size(), format_rfc3339(first.slot), format_rfc3339(last.slot),
        slots.back().target, slots.back().schedule, slots.back().cause, slots.back().detail));
    return;
  }
  for (const auto& [target, schedule] : schedules) {
    const MissedSlot* last = nullptr;
    std::size_t count = 0;
    for (const MissedSlot& slot : slots) {
      if (slot.target != target || slot.schedule != schedule) continue;
      last = &slot;
      ++count;
    }
    log::warning(fmt::format("target {}: schedule {} missed its time {}{} ({}): {}", target,
                             schedule, format_rfc3339(last->slot),
                             count > 1 ? fmt::format(" and {} before it", count - 1) : "",
                             last->cause, last->detail));
  }
}

}  // namespace

class Scheduler::Impl {
 public:
  Impl(Store& store, const Clock& clock)
      : store_(store), clock_(clock), history_(store), running_since_(clock.now()) {}

  Status configure(const Config& config);
  Result<std::vector<PlannedStart>> tick(const SchedulerInput& input);

  Store& store_;
  const Clock& clock_;
  std::vector<ScheduleView> views_;
  std::map<std::string, std::string> waits_;
  std::map<std::string, double> coverage_;
  TimePoint wake_{};

 private:
  /// Everything that is known, anew. An error changes nothing.
  Status read_all(const Plan& plan);
  Status read_memories(World& world);
  void forget_old();
  Status read_world(const SchedulerInput& input, bool runs_changed);
  Status write_down(const Tick& tick);
  Moment look_at_clock();
  bool nothing_new(const SchedulerInput& input, bool runs_changed, const Moment& moment);
  void show(const SchedulerInput& input, const Tick& tick);

  RunHistory history_;
  Plan plan_;
  World world_;
  TimePoint running_since_;
  bool after_jump_ = false;
  bool waits_for_scratch_ = false;
  std::optional<TimePoint> seen_wall_;
  SteadyPoint seen_steady_{};
  std::string seen_input_;
  SteadyPoint forgot_at_{};
  SteadyPoint looked_at_{};  ///< at everything
};

Status Scheduler::Impl::configure(const Config& config) {
  RAD_TRY(Plan plan, make_plan(config));
  RAD_CHECK(read_all(plan));
  plan_ = std::move(plan);
  return {};
}

Status Scheduler::Impl::read_all(const Plan& plan) {
  World world;
  RAD_CHECK(read_memories(world));
  RunHistory history(store_);
  const OldestNeeded needed = oldest_needed(plan, world.memories, clock_.now());
  TimePoint oldest = clock_.now() - 24h;
  for (const auto& entry : needed) oldest = std::min(oldest, entry.second);
  RAD_CHECK(history.load(oldest, clock_.now()));
  world_ = std::move(world);
  history_ = std::move(history);
  world_.runs = history_.runs();
  wake_ = {};
  return {};
}

Status Scheduler::Impl::read_memories(World& world) {
  RAD_TRY(const std::vector<ScheduleState> states, store_.list_schedules());
  for (const ScheduleState& row : states) {
    if (!row.first_seen) continue;
    world.memories[{row.target, row.schedule}] = {*row.first_seen, row.slot_done};
  }
  RAD_TRY(const std::vector<MissedSlot> missed,
          store_.list_missed("", clock_.now() - kMissedNeeded, 100'000));
  for (const MissedSlot& slot : missed) {
    world.missed[{slot.target, slot.schedule}].emplace_back(slot.slot, slot.recorded_at);
  }
  RAD_TRY(const std::vector<RotationCursor> cursors, store_.list_rotations());
  for (const RotationCursor& cursor : cursors) {
    world.cursors[cursor.rotation] = {cursor.rotation, cursor.round, cursor.done, cursor.last_slot};
  }
  return {};
}

Moment Scheduler::Impl::look_at_clock() {
  const TimePoint now = clock_.now();
  const SteadyPoint steady = clock_.steady_now();
  if (seen_wall_) {
    const auto ran = now - *seen_wall_;
    const auto passed =
        std::chrono::duration_cast<std::chrono::milliseconds>(steady - seen_steady_);
    const auto jump = ran - passed;
    if (std::chrono::abs(jump) > kJump) {
      log::warning(fmt::format("the clock was set {} by {}", jump.count() > 0 ? "forward" : "back",
                               format_duration(std::chrono::abs(jump))));
      running_since_ = now;
      after_jump_ = true;
      world_.hindrances.clear();
      wake_ = {};
      if (const Status again = read_all(plan_); !again) log::error(again.error().message);
    }
  }
  seen_wall_ = now;
  seen_steady_ = steady;
  return {now, running_since_, after_jump_};
}

Status Scheduler::Impl::read_world(const SchedulerInput& input, bool runs_changed) {
  if (runs_changed) world_.runs = history_.runs();
  world_.scratch = history_.scratch();
  RAD_TRY(world_.pauses, store_.list_pauses());
  world_.backups.clear();
  RAD_TRY(const std::vector<KnownBackup> backups, store_.list_backups());
  for (const KnownBackup& backup : backups) {
    world_.backups[backup.target].push_back(
        {backup.name, backup.finished_at.value_or(backup.first_seen), backup.first_seen});
  }
  world_.requests.clear();
  for (const QueuedRequest& request : input.requests) {
    DueRun run;
    run.request = request.id;
    run.target = request.target;
    run.schedule = request.schedule;
    run.depth = request.depth;
    run.priority = request.priority;
    run.since = request.requested_at;
    const auto scratch = world_.scratch.find(request.target);
    if (run.depth == Depth::restore && scratch != world_.scratch.end()) {
      run.scratch = scratch->second;
    }
    world_.requests.push_back(std::move(run));
  }
  world_.barriers = input.barriers;
  world_.running = input.running;
  for (const auto& unfinished : history_.unfinished()) {
    const RunSummary& run = unfinished.second;
    const bool ours = std::ranges::any_of(
        world_.running, [&](const RunningRun& one) { return one.target == run.target; });
    if (ours || !RunLock::alive(input.config.agent.state_dir, run.id)) continue;
    RunningRun one{run.id, run.target, run.schedule, run.depth, run.created_at};
    const auto scratch = world_.scratch.find(run.target);
    // What of it lies there already, only that process knows.
    if (run.depth == Depth::restore && scratch != world_.scratch.end()) {
      one.scratch_to_come = scratch->second;
    }
    world_.running.push_back(std::move(one));
  }
  return {};
}

bool Scheduler::Impl::nothing_new(const SchedulerInput& input, bool runs_changed,
                                  const Moment& moment) {
  std::string seen;
  bool overdue = false;
  if (waits_for_scratch_) {
    std::uint64_t to_come = 0;
    for (const RunningRun& run : input.running) to_come += run.scratch_to_come;
    seen = fmt::format("{} {}", input.scratch_free.value_or(0) >> kScratchStep,
                       to_come >> kScratchStep);
    overdue = clock_.steady_now() - looked_at_ >= kScratchLook;
  }
  for (const QueuedRequest& request : input.requests) seen += " " + request.id;
  seen += " |";
  for (const RunningRun& run : input.running) {
    seen += " " + (run.id.empty() ? run.target : run.id);
  }
  seen += " |" + input.barriers.restores;
  for (const auto& [key, why] : input.barriers.runs) {
    seen += fmt::format(" {}/{}", key.first, key.second);
  }
  const bool same = seen == seen_input_ && !runs_changed && !overdue && moment.now < wake_;
  seen_input_ = std::move(seen);
  return same;
}

Result<std::vector<PlannedStart>> Scheduler::Impl::tick(const SchedulerInput& input) {
  const Moment moment = look_at_clock();
  RAD_TRY(const bool runs_changed, history_.refresh(moment.now));
  if (nothing_new(input, runs_changed, moment)) return std::vector<PlannedStart>{};
  wake_ = {};  // until all of it is done
  looked_at_ = clock_.steady_now();
  if (clock_.steady_now() - forgot_at_ > kForgetEvery) forget_old();
  RAD_CHECK(read_world(input, runs_changed));
  Limits limits;
  limits.max_runs = static_cast<std::size_t>(input.config.agent.max_concurrent_runs);
  limits.scratch_free = input.scratch_free.value_or(0);
  limits.scratch_reserve = input.config.agent.scratch_reserve;
  const Tick result = rad::tick(plan_, world_, moment, limits);
  RAD_CHECK(write_down(result));
  world_.hindrances = result.hindrances;
  wake_ = result.wake;
  show(input, result);
  std::vector<PlannedStart> starts;
  for (const DueRun& run : result.start) {
    PlannedStart start{run.target, run.schedule, run.depth, run.slot, std::nullopt, run.scratch};
    if (!run.request.empty()) start.request = run.request;
    starts.push_back(std::move(start));
  }
  // What is started now is running at the next look.
  if (!starts.empty()) wake_ = {};
  return starts;
}

Status Scheduler::Impl::write_down(const Tick& tick) {
  const TimePoint now = clock_.now();
  ScheduleChanges changes;
  for (const Ended& ended : tick.ended) {
    if (ended.slot.answered) continue;
    changes.missed.push_back({ended.key.first, ended.key.second, ended.slot.slot,
                              std::string(to_string(ended.slot.cause)), ended.slot.detail, now});
  }
  for (const RotationProgress& cursor : tick.cursors) {
    changes.rotations.push_back({cursor.rotation, cursor.round, cursor.done, cursor.last_slot});
  }
  for (const auto& [key, memory] : tick.memories) {
    changes.schedules.push_back({key.first, key.second, memory.known_since, memory.settled});
  }
  for (const ScheduleKey& key : tick.rewound) changes.rewound.emplace_back(key, now);
  changes.forgotten = tick.forgotten;
  RAD_TRY(const std::vector<MissedSlot> added, store_.write_schedules(changes));
  say_missed(added);
  for (const MissedSlot& slot : changes.missed) {
    world_.missed[{slot.target, slot.schedule}].emplace_back(slot.slot, now);
  }
  for (const RotationProgress& cursor : tick.cursors) world_.cursors[cursor.rotation] = cursor;
  for (const auto& [key, memory] : tick.memories) world_.memories[key] = memory;
  for (const ScheduleKey& key : tick.rewound) {
    std::erase_if(world_.missed[key], [&](const auto& slot) { return slot.first > now; });
  }
  for (const ScheduleKey& key : tick.forgotten) world_.memories.erase(key);
  return {};
}

void Scheduler::Impl::forget_old() {
  forgot_at_ = clock_.steady_now();
  const TimePoint now = clock_.now();
  history_.forget(oldest_needed(plan_, world_.memories, now));
  world_.runs = history_.runs();
  auto forget = [&](const PlannedSchedule& schedule) {
    const ScheduleKey key{schedule.target, schedule.name};
    const auto memory = world_.memories.find(key);
    const auto missed = world_.missed.find(key);
    if (memory == world_.memories.end() || missed == world_.missed.end()) return;
    const TimePoint oldest = oldest_needed(schedule, memory->second, now);
    std::erase_if(missed->second, [&](const auto& slot) { return slot.first < oldest; });
  };
  for (const PlannedSchedule& schedule : plan_.schedules) forget(schedule);
  for (const Plan::Rotation& rotation : plan_.rotations) forget(rotation.schedule);
}

void Scheduler::Impl::show(const SchedulerInput& input, const Tick& tick) {
  waits_.clear();
  waits_for_scratch_ = std::ranges::any_of(
      tick.waiting, [](const HeldRun& held) { return held.cause == MissCause::scratch; });
  for (const HeldRun& held : tick.waiting) {
    if (!held.run.request.empty()) waits_[held.run.request] = held.detail;
  }
  views_ = schedule_views(input.config, plan_, world_, tick, clock_.now());
  coverage_.clear();
  for (const Plan::Rotation& rotation : plan_.rotations) {
    const auto cursor = world_.cursors.find(rotation.config.name);
    const Coverage covered = rad::coverage(
        rotation.schedule, rotation.config,
        cursor == world_.cursors.end() ? RotationProgress{} : cursor->second,
        [this](const std::string& target, Depth depth) {
          return last_answer(world_, target, depth);
        },
        clock_.now());
    for (const std::string& member : rotation.config.members) coverage_[member] = covered.ratio;
  }
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
void Scheduler::look_again() noexcept {
  impl_->wake_ = {};
}
const std::vector<ScheduleView>& Scheduler::views() const noexcept {
  return impl_->views_;
}
std::string Scheduler::waits_for(const std::string& request_id) const {
  const auto found = impl_->waits_.find(request_id);
  return found == impl_->waits_.end() ? "" : found->second;
}
const std::map<std::string, double>& Scheduler::coverage() const noexcept {
  return impl_->coverage_;
}

}  // namespace rad
