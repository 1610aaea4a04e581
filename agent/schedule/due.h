// What is due among cron schedules without windows, pauses and rotations: a short form of
// agent/schedule/standing.h, for callers that keep no memory of slots.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "agent/schedule/standing.h"

namespace rad {

/// How long an inconclusive slot is tried again, from its first attempt on: 7 days if the longest
/// interval is more than 7 days, else 6 hours.
std::chrono::milliseconds retry_window(const CronSchedule& schedule) noexcept;

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
