// What the agent remembers: runs, what runs left on the host, issues, schedules and counters, in
// one SQLite file. The only user of sqlite3.h.
//
// Threads    one thread at a time; the agent keeps it on its event loop. Calls block for the time
// of
//            an fsync, and for up to StoreOptions::busy_timeout while another process writes.
// Processes  any number may have the file open at once (`rad-agent serve` beside `rad-agent run`):
//            write-ahead log, and each call is one transaction.
// Crashes    a call that has returned is on disk (synchronous=FULL); one that has not left nothing.
// Errors     host_unfit for everything that is wrong with the file or its file system (damaged,
//            read-only, full, made by a newer agent); the message names the file. Retryable when
//            another process held it for too long.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "agent/model/counters.h"
#include "agent/model/run_report.h"

namespace rad {

/// What a run has on the host. A sweep removes scratch_dir and runtime_dir of runs that nobody
/// holds a lock on, and `kept` when its time is over.
enum class LedgerKind : std::uint8_t { scratch_dir, runtime_dir, kept };
std::string_view to_string(LedgerKind value) noexcept;

/// One thing on the host that must be removed some day. Written before it is made, removed after it
/// is gone, so that nothing is ever without an entry. (run_id, path) is unique.
struct LedgerEntry {
  std::string run_id;
  LedgerKind kind = LedgerKind::scratch_dir;
  std::string path;  ///< absolute
  std::string
      marker;  ///< text that the marker file inside must hold, else it is not ours to remove
  std::optional<TimePoint> keep_until;  ///< kind kept only
};

/// Which runs list_runs() gives; empty fields match everything.
struct RunFilter {
  std::string target;
  std::string schedule;
  std::optional<Depth> depth;
  std::optional<Verdict> verdict;
  bool ended_only = false;
  std::size_t limit = 100;
};

/// What one reporter knows about one open or closed issue; key (reporter, target, depth).
struct IssueState {
  std::string reporter;
  std::string target;
  Depth depth = Depth::restore;
  std::string reference;  ///< path or number, whatever the reporter finds it by
  bool open = false;
  TimePoint opened_at{};
  std::uint64_t count = 0;  ///< runs recorded in it
  std::string last_reason;
  std::string last_run_id;
};

/// How far one schedule has come; key (target, schedule).
struct ScheduleState {
  std::string target;
  std::string schedule;
  std::optional<TimePoint> first_seen;    ///< when the schedule was first configured
  std::optional<TimePoint> slot_done;     ///< last due instant that is settled
  std::optional<TimePoint> slot_open;     ///< due instant that is being worked on or retried
  std::uint32_t attempts = 0;             ///< runs begun for slot_open
  std::optional<TimePoint> last_attempt;  ///< end of the last of them
  std::string last_run_id;
};

/// How a Store is opened. Only tests change the defaults.
struct StoreOptions {
  std::chrono::milliseconds busy_timeout{10'000};
};

/// See the top of the file. Movable, not copyable; closed by the destructor.
class Store {
 public:
  /// Opens or makes the file (0600; its directory must exist) and brings its schema up to date.
  /// A damaged file is an error whose hint says to move it aside; it is never overwritten.
  static Result<Store> open(const std::filesystem::path& path, StoreOptions options = {});
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  // Runs. A run is begun once, updated before and after every stage, and ended once.

  /// \return internal_error when a run of this id is there already.
  Status begin_run(const RunReport& report);
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
  /// Newest first.
  Result<std::vector<RunReport>> list_runs(const RunFilter& filter);
  /// One row per (target, schedule, depth) that ever ended, ordered by these.
  Result<std::vector<LatestRun>> latest_runs();
  /// End of the last pass of `target` at `depth` or deeper, whatever the schedule.
  Result<std::optional<TimePoint>> last_pass(const std::string& target, Depth depth);

  // The ledger.

  /// Adding the same (run, path) again replaces the entry. The run need not be known.
  Status ledger_add(const LedgerEntry& entry);
  /// Removing what is not there is a success.
  Status ledger_remove(const std::string& run_id, const std::string& path);
  /// All entries, or those of one run; in the order in which they were added.
  Result<std::vector<LedgerEntry>> ledger(const std::string& run_id = {});

  // Issues and schedules: the caller's words, kept for it.

  Status put_issue(const IssueState& state);
  Result<std::optional<IssueState>> get_issue(const std::string& reporter,
                                              const std::string& target, Depth depth);
  Result<std::vector<IssueState>> list_issues();
  Status put_schedule(const ScheduleState& state);
  Result<std::vector<ScheduleState>> list_schedules();

  // Counters; runs, failures and bytes are counted by end_run().

  Status count_report_error(const std::string& reporter);
  Result<Counters> counters();

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rad
