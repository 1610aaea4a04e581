// What the runs of a target come to for one slot. Internal to agent/schedule.
#pragma once

#include <vector>

#include "agent/schedule/slots.h"
#include "agent/schedule/standing.h"

namespace rad {

struct Attempts {
  const PastRun* answer = nullptr;   ///< passed or failed, whoever began it
  const PastRun* running = nullptr;  ///< may answer it yet
  const PastRun* last = nullptr;     ///< of this schedule, ended, the last one begun
  TimePoint first_begun = TimePoint::max();
  unsigned count = 0;        ///< of this schedule, ended
  unsigned interrupted = 0;  ///< how many of them at the end were interrupted
};

/// \param end of the slot's life: the `opens` of the next one, or max()
Attempts attempts_at(const PlannedSchedule& schedule, const std::vector<PastRun>& runs,
                     const Slot& slot, TimePoint end);

/// When the next one is to begin; the due time if there was none. An end that lies in the future
/// (the clock was set back) counts from the beginning.
TimePoint next_attempt(const Attempts& attempts, const Slot& slot, TimePoint now);

/// The cause of a slot that ends unanswered.
EndedSlot missed_slot(const PlannedSchedule& schedule, const ScheduleFacts& facts,
                      const Moment& moment, const Slot& slot, TimePoint end,
                      const Attempts& attempts);

}  // namespace rad
