// Which of the due runs start now, and why the others wait. Pure.
//
// Order    Higher priority first; of the same priority, runs by hand before schedules, then the one
//          that has been due for longest. Of one target's schedules the deepest stands for all that
//          are due: it answers the shallower ones and takes over the highest of their priorities
//          and the longest of their waits. While it waits for scratch, the shallower may go ahead.
// Places   Never two runs of one target, never more than `max_runs` in all.
// Scratch  A run starts if what its last restore took fits into what is free, less the reserve and
//          less what the running ones have not written yet. A large run that must wait for scratch
//          is not overtaken for ever by small ones: from then on, whatever comes later in the order
//          may take scratch only if it fits beside the large one, so that space gathers as runs
//          end. That holds too while it waits for a shallower schedule of its own target. A run
//          that could not fit even if all running ones ended holds nobody up.
// Barred   What could not begin holds no place, no scratch and no target, and stands for nothing
//          shallower: the others go on as if it were not due.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/model/words.h"
#include "agent/schedule/standing.h"

namespace rad {

/// Something that wants to run: a due slot, or a request by hand.
struct DueRun {
  std::string request;  ///< id of a request by hand; "" for a schedule
  std::string target;
  std::string schedule;  ///< "manual" for a request, the rotation's name for a rotation
  Depth depth = Depth::restore;
  int priority = 0;
  TimePoint since{};              ///< when it should have started, or was asked for
  std::optional<TimePoint> slot;  ///< Slot::at; of a schedule
  std::uint64_t scratch = 0;      ///< bytes that its last restore took; 0 if none or not known
  std::string barred;             ///< why it cannot begin at present; "" if it can
};

struct RunningRun {
  std::string id;  ///< "" for what holds a target without being a run: it takes no place
  std::string target;
  std::string schedule;
  Depth depth = Depth::restore;
  TimePoint begun_at{};
  std::uint64_t scratch_used = 0;     ///< what lies there now, gone when it ends
  std::uint64_t scratch_to_come = 0;  ///< what it is expected to write yet
  std::string what{};  ///< in words, if not a run that is known: "the removal of …"
};

struct Limits {
  std::size_t max_runs = 1;
  std::uint64_t scratch_free = 0;  ///< on the file system, now
  std::uint64_t scratch_reserve = 0;
};

struct HeldRun {
  DueRun run;
  MissCause cause = MissCause::target_busy;  ///< or concurrency, scratch, cannot_begin
  std::string detail;                        ///< for people: what it waits for
};

struct Choice {
  std::vector<DueRun> start;  ///< in this order
  std::vector<HeldRun> waiting;
};

/// \param due in any order
Choice choose(std::vector<DueRun> due, const std::vector<RunningRun>& running,
              const Limits& limits);

}  // namespace rad
