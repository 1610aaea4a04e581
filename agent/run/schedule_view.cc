#include "agent/run/schedule_view.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad {
namespace {

struct Timing {
  std::string when;
  std::string time_zone;
};

Timing timing_of(const Config& config, const Standing& standing) {
  for (const RotationConfig& rotation : config.rotations) {
    if (rotation.name == standing.target && rotation.name == standing.schedule) {
      return {rotation.cron.text(), rotation.time_zone};
    }
  }
  const TargetConfig* target = config.find_target(standing.target);
  if (target == nullptr) return {};
  const auto schedule =
      std::ranges::find(target->schedules, standing.schedule, &ScheduleConfig::name);
  if (schedule == target->schedules.end()) return {};
  switch (schedule->trigger) {
    case ScheduleTrigger::cron:
      return {schedule->cron.text(), schedule->time_zone};
    case ScheduleTrigger::after_backup:
      return {format_duration(schedule->after_backup) + " after a new base backup",
              schedule->time_zone};
    case ScheduleTrigger::before_next_backup:
      return {"before the next base backup", schedule->time_zone};
  }
  return {};
}

std::string waits_of(const Standing& standing, const Tick& tick) {
  for (const HeldRun& held : tick.waiting) {
    const bool same = held.run.request.empty() && held.run.schedule == standing.schedule &&
                      (held.run.target == standing.target || held.run.target == standing.member);
    if (same) return held.detail;
  }
  return "";
}

/// How often a target has its turn.
void add_interval(ScheduleView& view, const Plan& plan) {
  auto is = [&](const PlannedSchedule& schedule) {
    return schedule.cron && schedule.target == view.target && schedule.name == view.schedule;
  };
  const PlannedSchedule* found = nullptr;
  std::size_t times = 1;
  for (const PlannedSchedule& schedule : plan.schedules) {
    if (is(schedule)) found = &schedule;
  }
  for (const Plan::Rotation& rotation : plan.rotations) {
    if (!is(rotation.schedule)) continue;
    found = &rotation.schedule;
    view.turns = rotation.config.members.size();
    times = view.turns;
    // The first turn of one round, the last of the next.
    if (rotation.config.order == RotationOrder::random) times = 2 * times - 1;
  }
  if (found == nullptr) return;
  view.longest_interval = found->cron->longest_interval();
  view.proof_within = *view.longest_interval * times +
                      found->timing.window.value_or(default_window(view.longest_interval));
}

}  // namespace

std::vector<ScheduleView> schedule_views(const Config& config, const Plan& plan, const World& world,
                                         const Tick& tick, TimePoint now) {
  std::vector<ScheduleView> views;
  for (const Standing& standing : tick.standings) {
    const Timing timing = timing_of(config, standing);
    ScheduleView view;
    view.target = standing.target;
    view.member = standing.member;
    for (const RotationConfig& rotation : config.rotations) {
      if (rotation.name == standing.target && rotation.name == standing.schedule) {
        view.members = rotation.members;
      }
    }
    view.schedule = standing.schedule;
    view.depth = standing.depth;
    view.when = timing.when;
    view.time_zone = timing.time_zone;
    view.state = to_string(standing.standing.state);
    view.slot = standing.standing.slot;
    if (standing.standing.start_at != TimePoint::max()) view.next = standing.standing.start_at;
    view.attempts = standing.standing.attempts;
    view.waits_for = waits_of(standing, tick);
    const Pause* pause = pause_of(world.pauses, standing.target, standing.schedule, now);
    if (pause != nullptr) view.pause = *pause;
    add_interval(view, plan);
    views.push_back(std::move(view));
  }
  return views;
}

std::optional<TimePoint> last_answer(const World& world, const std::string& target, Depth depth) {
  const auto runs = world.runs.find(target);
  if (runs == world.runs.end()) return std::nullopt;
  std::optional<TimePoint> last;
  for (const PastRun& run : runs->second) {
    const bool answers = run.verdict == Verdict::pass || run.verdict == Verdict::fail;
    if (!answers || run.depth < depth) continue;
    last = std::max(last.value_or(run.begun_at), run.begun_at);
  }
  return last;
}

}  // namespace rad
