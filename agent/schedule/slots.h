// The slots of a schedule: the instants at which it wants a run, whether they come from a clock or
// from the backups. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/config/config.h"
#include "agent/schedule/cron.h"

namespace rad {

/// A schedule made ready: everything about it that does not change from tick to tick.
struct PlannedSchedule {
  std::string target;  ///< of a rotation: its name
  std::string name;
  Depth depth = Depth::restore;
  ScheduleTrigger trigger = ScheduleTrigger::cron;
  std::optional<CronSchedule> cron;  ///< trigger cron only, and then always
  std::chrono::milliseconds after_backup{0};
  std::optional<std::chrono::milliseconds> lead;
  TimingConfig timing;
};

/// A complete base backup that somebody has seen.
struct SeenBackup {
  std::string name;
  TimePoint finished_at{};
  TimePoint first_seen{};  ///< when the agent learned of it
};

/// One slot. Its life is from `opens` to the `opens` of the next one.
struct Slot {
  /// What it is called, in the store and everywhere: the instant that the expression names, or the
  /// end of the backup that it belongs to. Never changes with jitter, delay or lead.
  TimePoint at{};
  TimePoint opens{};   ///< from here on it is the schedule's current slot
  TimePoint due{};     ///< when its run is to start, at `opens` or later
  std::string backup;  ///< relative to a backup: its name
  friend bool operator==(const Slot&, const Slot&) = default;
};

/// How much later than `at` a slot with a jitter is due: 0 up to, not including, `most`. The same
/// for the same words on every host and after every restart: FNV-1a over target, schedule and
/// milliseconds, finished as in splitmix64.
std::chrono::milliseconds jitter_of(std::string_view target, std::string_view schedule,
                                    TimePoint at, std::chrono::milliseconds most);

/// How long a slot is worked on, unless configured: 7 days if the longest interval is more than 7
/// days, else 6 hours.
std::chrono::milliseconds default_window(
    std::optional<std::chrono::milliseconds> interval) noexcept;

/// The time after which the next backup is to be expected: the second shortest of the last seven
/// intervals, so that neither one backup by hand nor one that was skipped counts; the shortest of
/// fewer than four. Nothing with fewer than two backups.
/// \param backups by finished_at, ascending
std::optional<std::chrono::milliseconds> backup_interval(const std::vector<SeenBackup>& backups);

/// How long before the next backup a run has to begin: half as much again as the last one took and
/// 15 minutes; 2 hours if none is known.
std::chrono::milliseconds automatic_lead(std::optional<std::chrono::milliseconds> last_duration);

/// The slots of one schedule, given the backups. Short-lived: refers to its arguments.
class Slots {
 public:
  /// \param backups       of the target, in any order; not looked at by a cron schedule
  /// \param last_duration of a run of this depth; before_next_backup without `lead` only
  Slots(const PlannedSchedule& schedule, const std::vector<SeenBackup>& backups,
        std::optional<std::chrono::milliseconds> last_duration);

  /// The last slot that opens at or before `now`.
  std::optional<Slot> current(TimePoint now) const;
  std::optional<Slot> before(const Slot& slot) const;
  /// Nothing if it is not known yet: the backup has not been made.
  std::optional<Slot> after(const Slot& slot) const;
  /// The first slot that opens after `now`; relative to backups, the one to be expected (only its
  /// `due` means something), nothing if there is too little to expect from.
  std::optional<Slot> upcoming(TimePoint now) const;

  /// How long a slot is worked on.
  std::chrono::milliseconds window() const noexcept { return window_; }

 private:
  Slot cron_slot(TimePoint at) const;
  void make_backup_slots(std::vector<SeenBackup> backups,
                         std::optional<std::chrono::milliseconds> last_duration);

  const PlannedSchedule& schedule_;
  std::chrono::milliseconds window_{0};
  std::vector<Slot> backup_slots_;  ///< ascending in `at` and in `opens`
  std::optional<Slot> expected_;    ///< of the backup that does not exist yet
};

}  // namespace rad
