// A run in one line, for lists and for the scheduler: what the store tells without reading the
// run's whole report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/base/clock.h"
#include "agent/base/reason.h"
#include "agent/model/run_report.h"
#include "agent/model/words.h"

namespace rad {

/// Fields as in RunReport.
struct RunSummary {
  std::string id;
  std::string target;
  std::string schedule;  ///< "manual" for a run by hand
  Depth depth = Depth::restore;
  std::string requested_by;
  bool as_configured = true;  ///< not asked for another backup or recovery target
  std::string backup;         ///< name of the backup, "" if none was found
  TimePoint created_at{};
  std::optional<TimePoint> ended_at;
  std::optional<Verdict> verdict;  ///< nothing while the run goes on
  std::optional<Reason> reason;    ///< of the first cause of anything but a pass
  CleanupResult cleanup = CleanupResult::pending;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_restored = 0;
  std::optional<TimePoint> slot;  ///< of a schedule: the name of the slot that it was begun for
};

/// What the newest restore of a target that passed in some time has measured.
struct MeasuredRestore {
  std::string target;
  std::string run_id;
  std::optional<std::chrono::milliseconds> measured_rto;
  std::optional<std::chrono::milliseconds> measured_rpo;
  std::optional<std::chrono::milliseconds> rto_target;
  std::optional<std::chrono::milliseconds> rpo_target;
};

/// One line of what a run said.
struct LogLine {
  std::uint64_t seq = 0;  ///< from 1, without gaps in one run; given by the store
  TimePoint at{};
  std::string plugin;  ///< who said it, "" for the agent
  std::string level;   ///< "debug", "info", "warning" or "error"
  std::string text;    ///< untrusted: may be anything a plugin printed
};

}  // namespace rad
