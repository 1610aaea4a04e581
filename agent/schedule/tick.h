// One look at everything: from the configuration, what the store knows and the time to what has
// ended, what starts and what waits. Pure; the daemon keeps what it returns and starts what it
// says.
//
// What comes back is to be written at once (missed slots once for each target, schedule and slot).
// In parts it may be too, in this order: missed slots, rotation cursors, memories. A crash in
// between repeats some of it at the next start, with the same slots, and changes nothing.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/error.h"
#include "agent/config/config.h"
#include "agent/schedule/choose.h"
#include "agent/schedule/rotation.h"
#include "agent/schedule/standing.h"

namespace rad {

/// (target, schedule); a rotation is (its name, its name).
using ScheduleKey = std::pair<std::string, std::string>;

/// All schedules of a configuration, made ready. Made once per load; keeps no reference to it.
struct Plan {
  struct Rotation {
    RotationConfig config;
    PlannedSchedule schedule;
  };
  std::vector<PlannedSchedule> schedules;
  std::vector<Rotation> rotations;
};

/// \return config_invalid if a time zone is not known (any more).
Result<Plan> make_plan(const Config& config);

/// What cannot begin at present although its time has come, and why; of schedules alone, since
/// whoever asks by hand is told at once.
struct Barriers {
  std::string restores;  ///< every restore; "" if none is kept from beginning
  std::map<std::pair<std::string, std::string>, std::string> runs;  ///< by (target, schedule)
};

/// What the store and the daemon know. Everything may be empty.
struct World {
  std::map<std::string, std::vector<PastRun>> runs;        ///< by target, those that go on too
  std::map<std::string, std::vector<SeenBackup>> backups;  ///< by target
  std::map<ScheduleKey, ScheduleMemory> memories;
  std::map<ScheduleKey, std::vector<std::pair<TimePoint, TimePoint>>> missed;  ///< ScheduleFacts
  std::map<std::string, RotationProgress> cursors;                             ///< by rotation
  std::vector<Pause> pauses;
  /// What the last tick said, see Tick::waiting; empty after a start and after a jump.
  std::map<ScheduleKey, Hindrance> hindrances;
  std::map<std::string, std::uint64_t> scratch;  ///< by target: what its last restore took
  std::vector<DueRun> requests;                  ///< by hand, not begun
  std::vector<RunningRun> running;
  Barriers barriers;
};

struct Standing {
  std::string target;  ///< of a rotation: its name
  std::string schedule;
  Depth depth = Depth::restore;
  ScheduleStanding standing;
  std::string member;  ///< of a rotation that is due: whose turn it is
};

struct Ended {
  ScheduleKey key;
  EndedSlot slot;
};

struct Tick {
  std::vector<Standing> standings;  ///< one for each schedule and rotation
  std::vector<Ended> ended;
  std::vector<RotationProgress> cursors;                         ///< those that changed
  std::vector<std::pair<ScheduleKey, ScheduleMemory>> memories;  ///< those that changed
  std::vector<ScheduleKey> rewound;                              ///< see Evaluation::rewound
  /// Memories of schedules that are no longer configured: to be deleted, or else the time until one
  /// of the same name comes back counts as missed.
  std::vector<ScheduleKey> forgotten;
  std::vector<DueRun> start;  ///< in this order
  std::vector<HeldRun> waiting;
  std::map<ScheduleKey, Hindrance> hindrances;  ///< for the next tick's World
  TimePoint wake = TimePoint::max();  ///< when to look again, unless a run ends or is asked for
};

/// By target and depth: runs that ended and began earlier are of no use to tick() and coverage();
/// without an entry none is. For what the daemon loads and keeps. A schedule without a memory is
/// new. When the clock was set back, load again.
using OldestNeeded = std::map<std::pair<std::string, Depth>, TimePoint>;
OldestNeeded oldest_needed(const Plan& plan, const std::map<ScheduleKey, ScheduleMemory>& memories,
                           TimePoint now);

Tick tick(const Plan& plan, const World& world, const Moment& moment, const Limits& limits);

}  // namespace rad
