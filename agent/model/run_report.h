// The record of one run: what was asked, what happened, what it means. The same value is written to
// the store, printed as JSON, rendered as Markdown and turned into metrics and issues.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/model/outcome.h"
#include "agent/model/words.h"

namespace rad {

/// One stage as it was lived through.
struct StageRecord {
  Stage stage = Stage::preflight;
  TimePoint started_at{};
  std::optional<TimePoint> ended_at;  ///< nothing: still running, or the agent died in it
  std::uint64_t bytes_done = 0;       ///< last progress
  std::uint64_t bytes_total = 0;      ///< 0 if unknown
  std::optional<Error> error;
};

enum class CleanupResult : std::uint8_t { pending, clean, kept, failed };
std::string_view to_string(CleanupResult value) noexcept;
std::optional<CleanupResult> parse_cleanup_result(std::string_view text) noexcept;

struct RunReport {
  std::string id;  ///< "20261120T184451-1a2b3c4d": start time and random digits; sorts by time
  std::string target;
  std::string schedule;  ///< "manual" for a run by hand
  Depth depth = Depth::restore;
  std::string requested_by;          ///< user name, or "schedule"
  std::string request_note;          ///< why somebody asked for it
  std::string requested_backup;      ///< asked for instead of the configured one; "" if not
  std::string requested_recover_to;  ///< likewise
  std::string host;
  std::string agent_version;
  TimePoint created_at{};
  std::optional<TimePoint> ended_at;

  BackupRef backup;
  RecoveryPoint recovery;
  std::string isolation;  ///< what was in force, in words
  std::vector<StageRecord> stages;
  std::vector<CheckOutcome> checks;
  std::vector<Finding> findings;
  std::vector<Error> faults;  ///< every further fault that was found, first cause excluded

  std::optional<Verdict> verdict;  ///< nothing while the run goes on
  std::optional<Error> cause;      ///< first cause of anything but a pass
  CleanupResult cleanup = CleanupResult::pending;
  std::string cleanup_message;
  std::string kept_path;  ///< what is kept on purpose, "" if nothing
  std::optional<TimePoint> kept_until;

  std::uint64_t bytes_read = 0;      ///< from storage, as stored
  std::uint64_t bytes_restored = 0;  ///< written to scratch
  /// From the start of preflight to the instance answering: the measured restore time. Restore
  /// only.
  std::optional<std::chrono::milliseconds> measured_rto;
  /// Age of the last recovered transaction (or backup) at the start of the run: measured data loss.
  std::optional<std::chrono::milliseconds> measured_rpo;
  std::optional<std::chrono::milliseconds> rto_target;
  std::optional<std::chrono::milliseconds> rpo_target;
};

/// Exit status of `rad-agent run` and `radctl run start --wait` for an ended run: 0 pass, 1 fail,
/// 3 inconclusive, 6 cancelled, 7 pass but cleanup failed.
int exit_status(const RunReport& report) noexcept;

}  // namespace rad
