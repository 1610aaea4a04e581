// What must hold, whatever happens to the host. Knows the truth about the simulated host, and no
// more of agent/schedule than its results and when a cron expression comes true.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/base/text.h"
#include "agent/schedule/tick.h"

namespace rad::sim {

struct Interval {
  TimePoint begin{};
  TimePoint end{};
};

/// What really happened, in the time that the host's clock showed.
struct Truth {
  std::vector<Interval> down;
  std::vector<Interval> jumped;                     ///< the clock went from begin to end
  std::vector<std::pair<Pause, TimePoint>> pauses;  ///< with the time at which they really ended
  std::map<std::string, std::vector<Interval>> configured;  ///< by target, until it was removed
};

/// One end of a slot, as it was recorded.
struct RecordedEnd {
  EndedSlot slot;
  TimePoint recorded_at{};
  bool clock_ahead = false;
};

class Oracle {
 public:
  /// \param checks_causes false if the clock runs ahead by years now and then: intervals mean
  /// little
  explicit Oracle(bool checks_causes) : checks_causes_(checks_causes) {}

  void ended(const Plan& plan, const World& world, const Truth& truth, const Ended& ended,
             const RecordedEnd& record, bool may_repeat);
  void started(const Plan& plan, const World& world, const Truth& truth, const DueRun& run,
               TimePoint now, bool clock_ahead);
  void ticked(const Tick& tick);
  /// The records of slots after `now` have been deleted.
  void rewound(const ScheduleKey& key, TimePoint now);
  void overslept(const DueRun& run, TimePoint now) {
    complain({run.target, run.schedule}, *run.slot,
             "was due unnoticed since " + format_rfc3339(run.since) + ", started only at " +
                 format_rfc3339(now));
  }
  void too_many(TimePoint now) { complain({"*", "*"}, now, "more runs than allowed"); }
  void run_ended(const std::string& target, const PastRun& run);
  void turn_used(const std::string& rotation, std::uint64_t round, const std::string& member,
                 const std::function<bool(const std::string&)>& is_paused);
  /// At the end of the simulation: nothing was lost. A run that goes on may still answer what came
  /// due before it, and slots end in their order.
  void finished(const Plan& plan, const World& world, const Truth& truth, TimePoint begin,
                TimePoint end);

  const std::vector<std::string>& violations() const noexcept { return violations_; }
  std::size_t answered() const noexcept { return answered_; }
  const std::map<std::string, std::size_t>& missed() const noexcept { return missed_; }
  std::size_t rad_answered() const noexcept { return rad_answered_; }
  std::size_t rad_missed() const noexcept { return rad_missed_; }

 private:
  void check_attempt(const PlannedSchedule& schedule, const World& world, const Truth& truth,
                     const DueRun& run, TimePoint now);
  void check_answer(const World& world, const PlannedSchedule& schedule, const ScheduleKey& key,
                    const EndedSlot& slot);
  void complain(const ScheduleKey& key, TimePoint slot, const std::string& what);
  void check_cause(const World& world, const Truth& truth, const PlannedSchedule& schedule,
                   const ScheduleKey& key, const EndedSlot& slot, TimePoint until);

  bool checks_causes_;
  std::vector<std::string> violations_;
  std::map<ScheduleKey, std::map<TimePoint, RecordedEnd>> ends_;
  std::map<std::pair<std::string, TimePoint>, int> rads_;  ///< conclusive runs by target and slot
  std::set<std::string> turns_;
  std::map<std::string, std::map<std::string, std::uint64_t>> last_turn_;
  std::size_t answered_ = 0;
  std::map<std::string, std::size_t> missed_;
  std::size_t rad_answered_ = 0;
  std::size_t rad_missed_ = 0;
};

/// nullptr if it is not configured now.
const PlannedSchedule* find_schedule(const Plan& plan, const ScheduleKey& key);

}  // namespace rad::sim
