// The values that only the store and its callers in agent/run know; those that travel further are
// in agent/model.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/clock.h"
#include "agent/model/counters.h"
#include "agent/model/operations.h"
#include "agent/model/words.h"

namespace rad {

/// What a run has on the host. A sweep removes scratch_dir and runtime_dir of runs that nobody
/// holds a lock on, and `kept` when its time is over.
enum class LedgerKind : std::uint8_t { scratch_dir, runtime_dir, kept };
std::string_view to_string(LedgerKind value) noexcept;
std::optional<LedgerKind> parse_ledger_kind(std::string_view text) noexcept;

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

/// Which runs to list; empty fields match everything.
struct RunFilter {
  std::string target;
  std::string schedule;
  std::optional<Depth> depth;
  std::optional<Verdict> verdict;
  bool ended_only = false;
  std::size_t limit = 100;
  std::string before;  ///< id of a run: only what comes after it in the list, for paging
};

/// Names a missed slot in their list: newest slot first, then by target and schedule.
struct MissedKey {
  TimePoint slot{};
  std::string target;
  std::string schedule;
};

/// Which missed slots to list.
struct MissedFilter {
  TimePoint from = TimePoint::min();
  TimePoint to = TimePoint::max();  ///< not included
  std::size_t limit = 100;
  std::optional<MissedKey> after;  ///< only what comes after it in the list, for paging
};

/// Which audit entries to list, newest first; empty fields match everything.
struct AuditFilter {
  std::string user;
  std::string action;
  std::string subject;
  std::size_t limit = 100;
  std::optional<std::int64_t> before;  ///< only entries with a smaller id, for paging
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

/// How far one schedule has come; key (target, schedule). A rotation stands here with its own name
/// as the target.
struct ScheduleState {
  std::string target;
  std::string schedule;
  std::optional<TimePoint> first_seen;  ///< when the schedule was first configured
  std::optional<TimePoint> slot_done;   ///< last due instant that is settled
};

/// Where a rotation through several targets stands; unique by its name.
struct RotationCursor {
  std::string rotation;
  std::uint64_t round = 0;
  std::vector<std::string> done;  ///< members that had their turn in this round, in order
  std::optional<TimePoint> last_slot;
};

/// What one look at all schedules has come to, to be written at once; see Store::write_schedules().
struct ScheduleChanges {
  using Key = std::pair<std::string, std::string>;  ///< (target, schedule)
  std::vector<MissedSlot> missed;
  std::vector<RotationCursor> rotations;
  std::vector<ScheduleState> schedules;
  /// Their missed slots after the given instant were recorded under a clock that had run ahead.
  std::vector<std::pair<Key, TimePoint>> rewound;
  std::vector<Key> forgotten;  ///< no longer configured: their state goes

  bool empty() const noexcept {
    return missed.empty() && rotations.empty() && schedules.empty() && rewound.empty() &&
           forgotten.empty();
  }
};

/// A base backup that was seen at the source, for schedules relative to backups; unique by (target,
/// name).
struct KnownBackup {
  std::string target;
  std::string name;
  std::optional<TimePoint> finished_at;
  TimePoint first_seen{};
};

/// What Store::prune() leaves. Whatever these say, it never removes the last run and the last pass
/// of a (target, schedule, depth), runs that go on, and runs that a hold, a ledger entry, an open
/// issue still needs.
struct Retention {
  std::chrono::days run_age{400};        ///< older runs go
  std::size_t least_per_target = 20;     ///< but so many of each target stay
  std::size_t most_per_target = 2000;    ///< and no more than so many, however young
  std::chrono::days log_age{60};         ///< logs of runs
  std::uint64_t log_bytes = 256U << 20;  ///< of all runs together; the oldest go first
  std::chrono::days audit_age{800};
  std::chrono::days missed_age{400};
  std::size_t backups_per_target = 200;
};

struct PruneResult {
  std::uint64_t runs = 0;
  std::uint64_t logs = 0;     ///< of so many runs
  std::uint64_t entries = 0;  ///< audit, missed slots, known backups
  std::uint64_t freed_bytes = 0;
  bool complete = true;  ///< false: the time was up, call again
};

/// What is wrong with the store's file, so that the caller knows what can be done about it.
enum class StoreTrouble : std::uint8_t {
  none,
  damaged,        ///< the content is not what was written: can be set aside
  full,           ///< no space: goes away when somebody makes some
  read_only,      ///< file or file system
  unreachable,    ///< missing directory, no rights
  busy,           ///< another process held it for longer than busy_timeout: try again
  io_error,       ///< the disk answers with errors
  moved,          ///< somebody moved or removed the file under the open store: open it again
  newer_version,  ///< made by a newer agent: run that one
  foreign,        ///< a file of another program
  other,
};
std::string_view to_string(StoreTrouble value) noexcept;

/// How a Store is opened.
struct StoreOptions {
  std::chrono::milliseconds busy_timeout{10'000};
  bool check_whole = false;  ///< check every page, also of a large file
  std::string vfs;           ///< of SQLite; tests only
};

}  // namespace rad
