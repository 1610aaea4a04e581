// What the daemon tells about itself, as values: the control API turns them into JSON.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/model/operations.h"
#include "agent/model/run_report.h"

namespace rad {

/// A run that goes on.
struct LiveRun {
  RunReport report;  ///< as of the last stage
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;
  std::string note;
  std::uint64_t scratch_lying = 0;                     ///< about what it has written there
  std::uint64_t scratch_to_come = 0;                   ///< and what it is going to
  std::optional<std::chrono::milliseconds> time_left;  ///< from earlier runs; nothing if unknown
};

/// A run that was asked for and waits. Its id stays the same once it runs.
struct WaitingRun {
  std::string id;
  std::string target;
  Depth depth = Depth::restore;
  std::string requested_by;
  std::string note;
  TimePoint requested_at{};
  std::string waits_for;  ///< "run 2026… of the same target", "2 of 2 runs are going on", …
};

using PauseView = Pause;

struct ScheduleView {
  std::string target;                ///< of a rotation: its name
  std::string member;                ///< of a rotation that is due: whose turn it is; "" else
  std::vector<std::string> members;  ///< of a rotation; left out in a TargetView
  std::string schedule;
  Depth depth = Depth::restore;
  std::string when;       ///< the cron expression, or "30m after a new base backup"
  std::string time_zone;  ///< IANA name
  std::string state;      ///< see SlotState
  std::optional<TimePoint> slot;
  std::optional<TimePoint> next;  ///< when the next run is to be started
  unsigned attempts = 0;
  std::string waits_for;  ///< why a due one does not run yet
  /// Longest time between two of its times; nothing if backups decide.
  std::optional<std::chrono::milliseconds> longest_interval;
  std::uint64_t turns = 0;  ///< of a rotation: how many targets take them; 0 for a schedule
  /// How old the newest proof of a target may be while all goes to plan: from turn to turn, and the
  /// window. Nothing if backups decide.
  std::optional<std::chrono::milliseconds> proof_within;
  std::optional<PauseView> pause;
};

using MissedView = MissedSlot;

/// The newest ended run of a target at one depth, and the newest that passed.
struct ProofView {
  Depth depth = Depth::restore;
  std::string run_id;
  std::optional<Verdict> verdict;
  std::optional<Reason> reason;
  std::optional<TimePoint> ended_at;
  std::optional<TimePoint> proved_at;
};

struct TargetView {
  std::string name;
  std::string restore_plugin;
  std::string instance_plugin;  ///< "" if there is none
  std::vector<std::string> checks;
  std::vector<ProofView> proofs;  ///< one for each depth that was ever tried
  std::string cleanup_failed;     ///< id of the newest run that could not clean up after itself; ""
  /// Its own, then the rotations that it is a member of: those have another `target`.
  std::vector<ScheduleView> schedules;
};

struct HoldView {
  std::string run_id;
  std::string target;
  std::string owner;
  std::string note;
  TimePoint since{};
  TimePoint until{};
  std::string state;    ///< starting, ready, failed, releasing
  std::string detail;   ///< why it failed
  std::string command;  ///< the exact psql line once it is ready
};

struct StatusView {
  std::string version;
  TimePoint started_at{};
  TimePoint last_tick{};
  TimePoint config_loaded_at{};
  std::string config_error;           ///< why the last reload changed nothing; "" if it did
  std::string store_error;            ///< what is wrong with the store; "" if nothing
  std::vector<std::string> troubles;  ///< what keeps tests from beginning, for people
  bool ready = false;                 ///< the first sweep is over, or takes long
  std::uint64_t targets = 0;
  std::uint64_t schedules = 0;
  std::uint64_t scratch_free = 0;
  std::uint64_t leftover_bytes = 0;
  std::vector<LiveRun> running;
  std::vector<WaitingRun> waiting;
  std::vector<PauseView> pauses;
  std::vector<HoldView> holds;
};

}  // namespace rad
