#include "agent/run/sweep.h"

#include <set>

#include <fmt/format.h>

#include "agent/base/files.h"
#include "agent/run/hold_files.h"
#include "agent/run/lost_ledger.h"
#include "agent/run/run_machine.h"
#include "agent/run/workspace.h"

namespace rad {
namespace {

/// Removes everything of one run. \return the first thing that could not be removed.
Status remove_all(const AgentOptions& options, Store& store, const std::string& run_id,
                  std::vector<std::string>& removed) {
  RAD_TRY(const std::vector<LedgerEntry> entries, store.ledger(run_id));
  Status first{};
  for (const LedgerEntry& entry : entries) {
    Status status = remove_ledger_entry(store, entry, remover_of(options));
    if (status) {
      removed.push_back(entry.path);
    } else if (first) {
      first = std::move(status);
    }
  }
  return first;
}

void mark_interrupted(RunReport& report, TimePoint now) {
  const std::string stage(report.stages.empty() ? "queue" : to_string(report.stages.back().stage));
  // A run that had its verdict and died while cleaning up or reporting keeps it.
  if (!report.verdict) {
    report.cause =
        fail(Reason::interrupted, fmt::format("the agent ended during the stage '{}'", stage),
             "start the run again; if nobody stopped the agent, look at its log");
    report.cause->retryable = true;
    conclude(report);
  }
  report.ended_at = now;
}

void set_cleanup(RunReport& report, const Status& cleaned) {
  report.cleanup = cleaned ? CleanupResult::clean : CleanupResult::failed;
  report.cleanup_message = cleaned ? "" : cleaned.error().message;
  report.kept_path.clear();
  report.kept_until.reset();
}

void end_interrupted(RunReport report, const AgentOptions& options, Store& store,
                     const Clock& clock, const std::vector<std::unique_ptr<Reporter>>& reporters,
                     SweepResult& result) {
  const auto proved = store.last_pass(report.target, report.depth);
  const Status cleaned = remove_all(options, store, report.id, result.removed);
  if (!cleaned) result.problems.push_back(cleaned.error().message);
  // A hold that it had ordered already has nothing to hold any more.
  forget_hold(options, report.id);
  (void)store.remove_hold(report.id);
  mark_interrupted(report, clock.now());
  set_cleanup(report, cleaned);
  for (const auto& reporter : reporters) {
    const Status told = reporter->report(report, proved ? *proved : std::optional<TimePoint>{});
    if (told) continue;
    result.problems.push_back(
        fmt::format("reporter '{}': {}", reporter->name(), told.error().message));
    (void)store.count_report_error(reporter->name());
  }
  const Status written = store.end_run(report);
  if (!written) result.problems.push_back(written.error().message);
  result.interrupted.push_back(std::move(report));
}

/// A run that ended and still has something on the host.
Status clean_ended(const AgentOptions& options, const std::string& run_id, Store& store,
                   std::vector<std::string>& removed) {
  Status first = remove_all(options, store, run_id, removed);
  auto run = store.load_run(run_id);
  if (run && *run && (*run)->ended_at) {
    set_cleanup(**run, first);
    const Status written = store.end_run(**run);
    if (!written && first) first = written.error();
  }
  if (!first) return first;
  forget_hold(options, run_id);
  return store.remove_hold(run_id);
}

/// What a dead holder left beside the data that is still kept: directories for sockets.
void clean_kept(const AgentOptions& options, const std::string& run_id, Store& store,
                SweepResult& result) {
  const auto entries = store.ledger(run_id);
  if (!entries) return;
  for (const LedgerEntry& entry : *entries) {
    if (entry.kind == LedgerKind::kept) continue;
    const Status status = remove_ledger_entry(store, entry, remover_of(options));
    if (!status) result.problems.push_back(status.error().message);
    if (status) result.removed.push_back(entry.path);
  }
}

}  // namespace

Status remove_ended(const AgentOptions& options, Store& store, const std::string& run_id) {
  std::vector<std::string> removed;
  return clean_ended(options, run_id, store, removed);
}

SweepResult sweep(const AgentOptions& options, Store& store, const Clock& clock,
                  const std::vector<std::unique_ptr<Reporter>>& reporters) {
  SweepResult result;
  std::error_code ec;
  std::filesystem::create_directories(options.state_dir / "locks", ec);
  const auto alone = lock_file(options.state_dir / "locks" / "sweep");
  if (!alone) {
    if (alone.error().reason != Reason::target_busy) {
      result.problems.push_back(alone.error().message);
    }
    return result;
  }
  auto unfinished = store.unfinished_runs();
  if (!unfinished) {
    result.problems.push_back(unfinished.error().message);
    return result;
  }
  for (RunReport& report : *unfinished) {
    if (RunLock::alive(options.state_dir, report.id)) continue;
    RunLock::forget(options.state_dir, report.id);
    end_interrupted(std::move(report), options, store, clock, reporters, result);
  }
  // After this the ledger is whole again, whatever became of the store.
  for (std::string& line : recover_ledger(options, store)) result.problems.push_back(line);
  const auto entries = store.ledger();
  if (!entries) {
    result.problems.push_back(entries.error().message);
    return result;
  }
  std::set<std::string> left;
  std::set<std::string> kept;
  for (const LedgerEntry& entry : *entries) {
    const bool still_kept =
        entry.kind == LedgerKind::kept && entry.keep_until && *entry.keep_until > clock.now();
    (still_kept ? kept : left).insert(entry.run_id);
  }
  for (const std::string& run_id : left) {
    // Whoever has the lock, a run or a holder, sees to it itself.
    const auto lock = RunLock::take_run(options.state_dir, run_id);
    if (!lock) continue;
    if (kept.contains(run_id)) {
      clean_kept(options, run_id, store, result);
      continue;
    }
    const Status cleaned = clean_ended(options, run_id, store, result.removed);
    if (!cleaned) result.problems.push_back(cleaned.error().message);
  }
  return result;
}

}  // namespace rad
