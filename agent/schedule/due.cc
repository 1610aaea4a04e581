#include "agent/schedule/due.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace rad {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

/// What the runs since a slot come to.
struct Attempts {
  bool answered = false;
  bool running = false;
  const PastRun* last = nullptr;  ///< of this schedule, ended
  TimePoint first_begun = TimePoint::max();
  unsigned count = 0;
};

Attempts look_at(const std::vector<PastRun>& runs, std::string_view name, Depth depth,
                 TimePoint slot) {
  Attempts attempts;
  for (const auto& run : runs) {
    if (run.begun_at < slot || run.depth < depth) continue;
    if (!run.verdict) {
      attempts.running = true;
      continue;
    }
    if (*run.verdict == Verdict::pass || *run.verdict == Verdict::fail) attempts.answered = true;
    if (run.schedule != name) continue;
    ++attempts.count;
    attempts.first_begun = std::min(attempts.first_begun, run.begun_at);
    if (attempts.last == nullptr || run.begun_at > attempts.last->begun_at) attempts.last = &run;
  }
  return attempts;
}

TimePoint next_attempt(const Attempts& attempts) {
  const auto& last = *attempts.last;
  if (last.interrupted && attempts.count == 1) return last.begun_at;
  const auto step = std::min<std::size_t>(attempts.count, kRetryDelays.size()) - 1;
  return last.ended_at.value_or(last.begun_at) + kRetryDelays[step];
}

}  // namespace

milliseconds retry_window(const CronSchedule& schedule) noexcept {
  return schedule.longest_interval() > hours(7 * 24) ? hours(7 * 24) : hours(6);
}

std::string_view to_string(SlotState value) noexcept {
  switch (value) {
    case SlotState::waiting:
      return "waiting";
    case SlotState::due:
      return "due";
    case SlotState::retrying:
      return "retrying";
    case SlotState::running:
      return "running";
    case SlotState::answered:
      return "answered";
    case SlotState::given_up:
      return "given_up";
    case SlotState::cancelled:
      return "cancelled";
  }
  return "?";
}

ScheduleStanding state_of(const CronSchedule& schedule, std::string_view name, Depth depth,
                          TimePoint known_since, const std::vector<PastRun>& runs, TimePoint now) {
  ScheduleStanding state;
  state.next_slot = schedule.next(now);
  state.start_at = state.next_slot;
  const auto slot = schedule.previous(now);
  if (slot < known_since) return state;
  state.slot = slot;
  const auto attempts = look_at(runs, name, depth, slot);
  state.attempts = attempts.count;
  if (attempts.answered) {
    state.state = SlotState::answered;
  } else if (attempts.running) {
    state.state = SlotState::running;
  } else if (attempts.last == nullptr) {
    state.state = SlotState::due;
    state.start_at = slot;
    state.late = now - slot;
  } else if (attempts.last->verdict == Verdict::cancelled) {
    state.state = SlotState::cancelled;
  } else {
    const auto attempt = next_attempt(attempts);
    if (attempt > attempts.first_begun + retry_window(schedule) || attempt >= state.next_slot) {
      state.state = SlotState::given_up;
    } else {
      state.state = attempt <= now ? SlotState::due : SlotState::retrying;
      state.start_at = attempt;
      state.late = std::max(milliseconds(0), now - attempt);
    }
  }
  return state;
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
