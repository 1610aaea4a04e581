#include "agent/schedule/due.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace rad {
namespace {

using std::chrono::milliseconds;

}  // namespace

milliseconds retry_window(const CronSchedule& schedule) noexcept {
  return default_window(schedule.longest_interval());
}

ScheduleStanding state_of(const CronSchedule& schedule, std::string_view name, Depth depth,
                          TimePoint known_since, const std::vector<PastRun>& runs, TimePoint now) {
  const PlannedSchedule planned{.name = std::string(name), .depth = depth, .cron = schedule};
  // Nothing was noted as missed, so a slot is due for as long as it lives.
  const Moment moment{.now = now, .running_since = now};
  const ScheduleMemory memory{known_since, schedule.previous(now) - milliseconds(1)};
  return evaluate(planned, {runs, {}, {}, memory}, moment).standing;
}

std::vector<DueSchedule> choose_due(std::vector<DueSchedule> schedules) {
  std::map<std::string, DueSchedule> deepest;
  for (auto& schedule : schedules) {
    if (schedule.state.state != SlotState::due) continue;
    const auto [place, is_new] = deepest.try_emplace(schedule.target, schedule);
    if (is_new) continue;
    const auto& other = place->second;
    if (std::tuple(schedule.depth, -schedule.state.start_at.time_since_epoch()) >
        std::tuple(other.depth, -other.state.start_at.time_since_epoch())) {
      place->second = std::move(schedule);
    }
  }
  std::vector<DueSchedule> chosen;
  chosen.reserve(deepest.size());
  for (auto& [target, schedule] : deepest) chosen.push_back(std::move(schedule));
  std::stable_sort(chosen.begin(), chosen.end(), [](const auto& a, const auto& b) {
    return a.state.start_at < b.state.start_at;
  });
  return chosen;
}

TimePoint next_wake(const std::vector<DueSchedule>& schedules) {
  auto wake = TimePoint::max();
  for (const auto& schedule : schedules) {
    wake = std::min(wake, schedule.state.next_slot);
    if (schedule.state.state == SlotState::retrying) wake = std::min(wake, schedule.state.start_at);
  }
  return wake;
}

}  // namespace rad
