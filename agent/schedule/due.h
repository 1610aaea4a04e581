// What is due, from schedules, the runs so far and the time. Pure: no clock, no store.
//
// A slot is due from its instant until a run has answered it or the next slot comes. A slot that
// was missed while nothing ran is caught up once. Answered means: a run at the same or a greater
// depth, begun at or after the slot, by hand or by schedule, that ended in pass or fail. An
// inconclusive one is tried again, see kRetryDelays; a cancelled one is left alone until the next
// slot.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/model/words.h"
#include "agent/schedule/cron.h"

namespace rad {

/// Between the end of an inconclusive run and the next attempt; the last one repeats. A first
/// attempt that was interrupted (the agent died) is tried again at once.
inline constexpr std::array<std::chrono::milliseconds, 4> kRetryDelays{
    std::chrono::minutes(15), std::chrono::hours(1), std::chrono::hours(4), std::chrono::hours(12)};

/// How long an inconclusive slot is tried again, from its first attempt on: 7 days if the longest
/// interval is more than 7 days, else 6 hours.
std::chrono::milliseconds retry_window(const CronSchedule& schedule) noexcept;

/// One run of a target, whatever started it. Leave out runs that were asked for another backup or
/// recovery target than the configured one: they answer no schedule.
struct PastRun {
  std::string schedule;  ///< "manual" for a run by hand
  Depth depth = Depth::restore;
  TimePoint begun_at{};
  std::optional<TimePoint> ended_at;
  std::optional<Verdict> verdict;  ///< nothing while it goes on
  bool interrupted = false;        ///< inconclusive because the agent died
};

enum class SlotState : std::uint8_t {
  waiting,    ///< no slot yet since the schedule became known
  due,        ///< to be started now
  retrying,   ///< inconclusive; the next attempt is at `start_at`
  running,    ///< a run that may answer it goes on
  answered,   ///< pass or fail
  given_up,   ///< inconclusive to the end of its window
  cancelled,  ///< stopped by somebody
};
std::string_view to_string(SlotState value) noexcept;

/// Where a schedule stands.
struct ScheduleStanding {
  SlotState state = SlotState::waiting;
  std::optional<TimePoint> slot;  ///< the last one; nothing while waiting
  TimePoint next_slot{};
  /// When the next run is to be started: now or earlier if due, the next attempt or the next slot
  /// otherwise.
  TimePoint start_at{};
  unsigned attempts = 0;              ///< ended runs of this schedule since the slot
  std::chrono::milliseconds late{0};  ///< if due: how long ago it should have started
};

/// \param known_since slots before it are not caught up: the schedule was not configured yet.
/// \param runs        of the target, in any order; none older than the previous slot is looked at.
ScheduleStanding state_of(const CronSchedule& schedule, std::string_view name, Depth depth,
                          TimePoint known_since, const std::vector<PastRun>& runs, TimePoint now);

/// One schedule with where it stands.
struct DueSchedule {
  std::string target;
  std::string schedule;
  Depth depth = Depth::restore;
  ScheduleStanding state;
};

/// Which of them to start, in this order: the longest overdue first, per target only the deepest
/// (it answers the shallower ones).
std::vector<DueSchedule> choose_due(std::vector<DueSchedule> schedules);

/// The next instant at which something becomes due that is not due yet; TimePoint::max() if there
/// is no schedule.
TimePoint next_wake(const std::vector<DueSchedule>& schedules);

}  // namespace rad
