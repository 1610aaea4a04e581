// Where a schedule stands and which of its slots have ended, from its configuration, the runs so
// far and the time. Pure: no clock, no store.
//
// A slot ends exactly once: answered (a run passed or failed) or missed (with a cause). Answered
// means: a run at the same or a greater depth, begun in the slot's life at or after its due time,
// by hand or by schedule, that ended in pass or fail. An inconclusive one is tried again, see
// kRetryDelays, to the end of the window; a cancelled one is not. Slots end in their order, and
// `ScheduleMemory::settled` is the last one that did: as long as it is kept, no slot ends twice,
// however often the agent is restarted or its clock set back.
//
// Window  counts from the first attempt, or from the due time if there was none. With catch_up
//         `once` it does not run while the agent is down: the slot is late, but not lost.
// Clock   one that is set back by less than a slot brings nothing back. One that had run ahead
//         (settled lies beyond the next slot, or a schedule became known in the future) is put
//         right: what was noted under the wrong time no longer counts.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/reason.h"
#include "agent/model/words.h"
#include "agent/schedule/pause.h"
#include "agent/schedule/slots.h"

namespace rad {

/// Between the end of an inconclusive run and the next attempt; the last one repeats. One that was
/// interrupted is tried again at once, unless the one before it was interrupted too.
inline constexpr std::array<std::chrono::milliseconds, 4> kRetryDelays{
    std::chrono::minutes(15), std::chrono::hours(1), std::chrono::hours(4), std::chrono::hours(12)};

/// With catch_up `skip`: a slot that came due so shortly before the agent was started is in time.
inline constexpr std::chrono::minutes kInTime{10};

/// One run of a target, whatever started it. Leave out runs that were asked for another backup or
/// recovery target than the configured one: they answer no schedule.
struct PastRun {
  std::string schedule;  ///< "manual" for a run by hand
  Depth depth = Depth::restore;
  TimePoint begun_at{};
  std::optional<TimePoint> ended_at;
  std::optional<Verdict> verdict;  ///< nothing while it goes on
  /// It ended because the agent did: inconclusive by a crash, or cancelled by a graceful stop.
  bool interrupted = false;
  std::string id;
  std::string target;             ///< needed in the runs of a rotation only
  std::string backup;             ///< that it tested; "" if not known
  std::optional<Reason> reason;   ///< why not pass
  std::optional<TimePoint> slot;  ///< Slot::at that it was begun for, if that was written down
};

enum class SlotState : std::uint8_t {
  waiting,    ///< no slot yet since the schedule became known, or its time has not come
  due,        ///< to be started now
  retrying,   ///< inconclusive; the next attempt is at `start_at`
  running,    ///< a run that may answer it goes on
  answered,   ///< pass or fail
  given_up,   ///< inconclusive to the end of its window
  cancelled,  ///< stopped by somebody
  paused,     ///< would be due, but is paused
  missed,     ///< not begun to the end of its window
};
std::string_view to_string(SlotState value) noexcept;

/// Why a slot was missed, and, of the same words, why one that is due has to wait.
enum class MissCause : std::uint8_t {
  agent_down,
  clock_jump,
  paused,
  target_busy,
  concurrency,
  scratch,
  inconclusive_to_the_end,
  cancelled,
  backup_early,  ///< before_next_backup: the next one came before the run was due
  cannot_begin,  ///< nothing held its place, but the agent could not begin it
};
std::string_view to_string(MissCause value) noexcept;
std::optional<MissCause> parse_miss_cause(std::string_view text) noexcept;

/// The end of a slot.
struct EndedSlot {
  TimePoint slot{};  ///< Slot::at
  /// Usually `slot`. Later if so many were missed at once that they are told as one.
  TimePoint last_slot{};
  bool answered = false;
  std::string run;     ///< that answered it, or the last that tried; "" if none
  std::string target;  ///< PastRun::target of that run
  MissCause cause = MissCause::agent_down;  ///< if missed
  std::string detail;                       ///< if missed: what happened, for people
  friend bool operator==(const EndedSlot&, const EndedSlot&) = default;
};

/// What has to be remembered of a schedule for ever. Comes back from standing_of() and is kept
/// whenever it has changed, after the missed slots have been.
struct ScheduleMemory {
  TimePoint known_since{};  ///< slots before it are nobody's: it was not configured yet
  std::optional<TimePoint> settled;
  friend bool operator==(const ScheduleMemory&, const ScheduleMemory&) = default;
};

/// Now, and since when the agent has been watching the clock.
struct Moment {
  TimePoint now{};
  TimePoint running_since{};  ///< start of the agent, or the end of a jump of its clock, either way
  bool after_jump = false;    ///< it was a jump
};

/// What held back a slot that was due at the last tick of this process. Forgotten when the clock
/// jumps.
struct Hindrance {
  MissCause cause = MissCause::target_busy;
  std::string detail;
};

/// Whatever is known of one schedule. Short-lived: refers to its arguments.
struct ScheduleFacts {
  const std::vector<PastRun>& runs;  ///< of the target, in any order, from the oldest slot on that
                                     ///< has not ended; see oldest_needed()
  const std::vector<SeenBackup>& backups;
  /// Slots (by name) that are recorded as missed, with the time of the record; of those before
  /// `now`, as far back as oldest_needed(). They matter after a crash between the writes, and after
  /// the clock was set back far.
  const std::vector<std::pair<TimePoint, TimePoint>>& missed;
  ScheduleMemory memory;
  const Pause* pause = nullptr;          ///< in force now
  const Hindrance* hindrance = nullptr;  ///< nothing known: nullptr
};

/// Where a schedule stands.
struct ScheduleStanding {
  SlotState state = SlotState::waiting;
  std::optional<TimePoint> slot;  ///< name of the current one; nothing while there is none
  TimePoint next_slot{};          ///< when the one after it is due; max() if it cannot be told
  /// When the next run is to be started: now or earlier if due, the next attempt or the next slot
  /// otherwise; max() if it cannot be told.
  TimePoint start_at{};
  unsigned attempts = 0;              ///< ended runs of this schedule in the slot
  std::chrono::milliseconds late{0};  ///< if due: how long ago it should have started
  std::string last_target;            ///< PastRun::target of the last attempt
};

struct Evaluation {
  ScheduleStanding standing;
  std::vector<EndedSlot> ended;  ///< since the memory was made, oldest first
  ScheduleMemory memory;         ///< to be kept
  /// The clock had run ahead: what is recorded as missed of slots after now is void and to be
  /// deleted, or else the causes of these slots stay wrong when they really come.
  bool rewound = false;
  TimePoint wake = TimePoint::max();  ///< when to look again, unless a run ends earlier
};

Evaluation evaluate(const PlannedSchedule& schedule, const ScheduleFacts& facts,
                    const Moment& moment);

/// Runs that began earlier are of no use to evaluate(). When the clock has been set back, ask
/// again.
TimePoint oldest_needed(const PlannedSchedule& schedule, const ScheduleMemory& memory,
                        TimePoint now);

/// How long the last of `runs` of this depth took that passed or failed.
std::optional<std::chrono::milliseconds> last_duration(const std::vector<PastRun>& runs,
                                                       Depth depth);

}  // namespace rad
