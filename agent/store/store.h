// What the agent remembers, in one SQLite file: runs and their logs, what runs left on the host,
// issues, schedules, requests, holds, pauses, the audit and counters. The only user of sqlite3.h.
//
// Threads    one thread at a time; the agent keeps it on its event loop. Calls block for the time
//            of an fsync, and for up to StoreOptions::busy_timeout while another process writes.
// Processes  any number may have the file open at once (`rad-agent serve` beside `rad-agent run`):
//            write-ahead log, and each call is one transaction.
// Crashes    a call that has returned is on disk (synchronous=EXTRA); one that has not returned has
//            left nothing.
// Errors     host_unfit for everything that is wrong with the file or its file system; the message
//            names the file, trouble() tells the kinds apart. Retryable when another process held
//            it for too long. How to go on without a usable file: open_store.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "agent/model/counters.h"
#include "agent/model/operations.h"
#include "agent/model/run_report.h"
#include "agent/model/run_summary.h"
#include "agent/store/values.h"

namespace rad {

/// See the top of the file. Movable, not copyable; closed by the destructor.
class Store {
 public:
  /// Opens or makes the file (0600; its directory must exist) and brings its schema up to date.
  /// A damaged file is an error whose hint says to move it aside; it is never overwritten.
  /// \param trouble  says what is wrong when the result is an error.
  static Result<Store> open(const std::filesystem::path& path, StoreOptions options = {},
                            StoreTrouble* trouble = nullptr);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  /// What was wrong with the file when a call last failed because of it; none if a later call has
  /// written.
  StoreTrouble trouble() const noexcept;
  /// Whether the file is still where it was; if not, trouble() is `moved` from now on. Costs two
  /// calls of stat: for a store that nobody writes to for hours.
  bool in_place() noexcept;
  /// Whether what is written survives a reboot. If not (open_store.h), begin_run() refuses runs of
  /// depth restore and ledger_add() refuses to keep anything: nobody would know what to remove.
  bool durable() const noexcept;

  // Runs. A run is begun once, updated before and after every stage, and ended once.

  /// \return internal_error when a run of this id is there already; host_unfit if !durable() and
  /// the run would restore.
  /// `slot`: of a schedule, the name of the slot that it is to answer.
  Status begin_run(const RunReport& report, std::optional<TimePoint> slot = std::nullopt);
  /// \return internal_error when the run was never begun, or has ended.
  Status update_run(const RunReport& report);
  /// Writes the final record and adds to the counters in one transaction. The report must have a
  /// verdict and an end. Ending it again changes the record, but counts nothing twice. A run that
  /// was never begun (it was refused before) is added.
  Status end_run(const RunReport& report);

  /// Runs without an end, oldest first: going on in some process, or left by one that died. Which
  /// of the two, only the lock on the run's marker file can tell.
  Result<std::vector<RunReport>> unfinished_runs();
  /// \return nothing for an unknown id.
  Result<std::optional<RunReport>> load_run(const std::string& id);
  /// Newest first. \return config_invalid if filter.before is unknown.
  Result<std::vector<RunReport>> list_runs(const RunFilter& filter);
  /// The same without reading the reports: for lists, whatever their length.
  Result<std::vector<RunSummary>> list_summaries(const RunFilter& filter);
  /// Runs of all targets created at `since` or later, oldest first.
  Result<std::vector<RunSummary>> runs_since(TimePoint since);
  /// Of each target the newest restore that passed, of runs created at `from` or later and before
  /// `to`; ordered by target.
  Result<std::vector<MeasuredRestore>> measured_restores(TimePoint from, TimePoint to);
  /// One row per (target, schedule, depth) that ever ended, ordered by these.
  /// \param now  a success that lies more than an hour after it is left out: a clock was wrong,
  /// then or now, and a proof of nobody knows when must not silence an alert. It stays in the
  /// store.
  Result<std::vector<LatestRun>> latest_runs(std::optional<TimePoint> now = {});
  /// End of the last pass of `target` at `depth` or deeper, whatever the schedule.
  Result<std::optional<TimePoint>> last_pass(const std::string& target, Depth depth);

  // Logs of runs. The run need not be known.

  /// Adds lines, in order; their seq is given here. Beyond kLogBytes of a run nothing is added any
  /// more but one line that says so.
  Status append_log(const std::string& run_id, const std::vector<LogLine>& lines);
  /// Lines with a seq of at least `from`.
  Result<std::vector<LogLine>> read_log(const std::string& run_id, std::uint64_t from,
                                        std::size_t limit);
  static constexpr std::uint64_t kLogBytes = 2U << 20;
  static constexpr std::size_t kLogLineBytes = 16U << 10;  ///< longer lines are cut

  // The ledger.

  /// Adding the same (run, path) again replaces the entry. The run need not be known.
  Status ledger_add(const LedgerEntry& entry);
  /// Removing what is not there is a success.
  Status ledger_remove(const std::string& run_id, const std::string& path);
  /// All entries, or those of one run; in the order in which they were added.
  Result<std::vector<LedgerEntry>> ledger(const std::string& run_id = {});

  // Issues and schedules: the caller's words, kept for it. put_ replaces what has the same key.

  Status put_issue(const IssueState& state);
  Result<std::optional<IssueState>> get_issue(const std::string& reporter,
                                              const std::string& target, Depth depth);
  Result<std::vector<IssueState>> list_issues();
  /// All of it or nothing, in one transaction whatever its size; costs nothing if it is empty. A
  /// missed slot that is recorded already stays as it is and is not counted again; slots of a
  /// clock that had run ahead go, their counts stay.
  /// \return the missed slots that are new, in their order.
  Result<std::vector<MissedSlot>> write_schedules(const ScheduleChanges& changes);
  Result<std::vector<ScheduleState>> list_schedules();
  Result<std::vector<RotationCursor>> list_rotations();
  /// Newest slot first; all targets if `target` is empty.
  Result<std::vector<MissedSlot>> list_missed(const std::string& target, TimePoint since,
                                              std::size_t limit);
  /// Of all targets: newest slot first, then by target and schedule.
  Result<std::vector<MissedSlot>> list_missed(const MissedFilter& filter);
  /// Keeps the first_seen of a backup that is known. \return whether it is new.
  Result<bool> record_backup(const KnownBackup& backup);
  /// Newest first (finished_at, else first_seen); of all targets if `target` is empty.
  Result<std::vector<KnownBackup>> list_backups(const std::string& target = {});

  // What people asked for. Removing what is not there is a success.

  Status put_pause(const Pause& pause);
  Status remove_pause(const std::string& target, const std::string& schedule);
  Result<std::vector<Pause>> list_pauses();
  Status put_request(const QueuedRequest& request);
  Status remove_request(const std::string& id);
  /// In the order in which they were first put.
  Result<std::vector<QueuedRequest>> list_requests();
  Status put_hold(const Hold& hold);
  Status remove_hold(const std::string& run_id);
  Result<std::vector<Hold>> list_holds();
  /// The entry's id is given by the store.
  Status append_audit(const AuditEntry& entry);
  Result<std::vector<AuditEntry>> list_audit(const AuditFilter& filter);

  // Counters; runs, failures and bytes are counted by end_run(), missed slots by write_schedules().

  Status count_report_error(const std::string& reporter);
  Result<Counters> counters();
  Result<std::vector<MissedCount>> missed_counts();

  // Upkeep.

  /// Removes what is too old, gives its space back to the file system and shortens the write-ahead
  /// log. Works in small transactions and ends after about `budget` of wall time. Counters stay.
  Result<PruneResult> prune(TimePoint now, const Retention& retention = {},
                            std::chrono::milliseconds budget = std::chrono::milliseconds(200));
  /// Brings what `other` (a store that took this one's place for a while) has into this one.
  Status adopt(Store& other);

 private:
  struct Impl;
  friend struct StoreAccess;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rad
