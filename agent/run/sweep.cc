#include "agent/run/sweep.h"

#include <algorithm>
#include <set>

#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "agent/run/hold_files.h"
#include "agent/run/lost_ledger.h"
#include "agent/run/run_machine.h"

namespace rad {
namespace asio = boost::asio;

namespace {

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

bool is_kept(const LedgerEntry& entry, TimePoint now) {
  return entry.kind == LedgerKind::kept && entry.keep_until && *entry.keep_until > now;
}

}  // namespace

Sweep::Sweep(const AgentOptions& options, Store& store, const Clock& clock,
             const std::vector<std::unique_ptr<Reporter>>& reporters)
    : options_(options),
      store_(store),
      clock_(clock),
      reporters_(reporters),
      remover_(remover_of(options)) {}

void Sweep::report_problem(const Error& error) {
  result_.problems.push_back(error.message);
}

void Sweep::add(const std::string& run_id, const std::string& target) {
  if (std::ranges::find(runs_, run_id) != runs_.end()) return;
  runs_.push_back(run_id);
  if (!target.empty()) targets_[run_id] = target;
}

void Sweep::look() {
  auto alone = RunLock::take_sweep(options_.state_dir);
  if (!alone) {
    if (alone.error().reason != Reason::target_busy) report_problem(alone.error());
    return;
  }
  alone_ = std::move(*alone);
  const auto unfinished = store_.unfinished_runs();
  if (!unfinished) return report_problem(unfinished.error());
  for (const RunReport& run : *unfinished) {
    if (!RunLock::alive(options_.state_dir, run.id)) add(run.id, run.target);
  }
  // After this the ledger is whole again, whatever became of the store.
  for (std::string& line : recover_ledger(options_, store_)) {
    result_.problems.push_back(std::move(line));
  }
  const auto entries = store_.ledger();
  if (!entries) return report_problem(entries.error());
  std::set<std::string> left;
  for (const LedgerEntry& entry : *entries) {
    if (!is_kept(entry, clock_.now())) left.insert(entry.run_id);
  }
  for (const std::string& run_id : left) {
    // Whoever has the lock, a run or a holder, sees to it itself.
    if (RunLock::alive(options_.state_dir, run_id)) continue;
    const auto run = store_.load_run(run_id);
    add(run_id, run && *run ? (*run)->target : "");
  }
}

asio::awaitable<SweepResult> Sweep::work() {
  for (const std::string& run_id : runs_) {
    if (stopped_) break;
    co_await put_right(run_id);
    targets_.erase(run_id);
  }
  targets_.clear();
  alone_.reset();
  co_return std::move(result_);
}

void Sweep::stop() {
  stopped_ = true;
  off_loop_.give_up();
}

asio::awaitable<void> Sweep::put_right(std::string run_id) {
  const auto lock = RunLock::take_run(options_.state_dir, run_id);
  if (!lock) {
    if (lock.error().reason != Reason::target_busy) report_problem(lock.error());
    co_return;
  }
  // Looked at anew: whoever had it until now may have ended it, or kept it on purpose.
  auto run = store_.load_run(run_id);
  const auto entries = store_.ledger(run_id);
  if (!run) co_return report_problem(run.error());
  if (!entries) co_return report_problem(entries.error());
  if (*run && !(*run)->ended_at) co_return co_await end_interrupted(std::move(**run));
  const TimePoint now = clock_.now();
  if (std::ranges::any_of(*entries, [&](const auto& entry) { return is_kept(entry, now); })) {
    co_return co_await clean_kept(*entries);
  }
  if (entries->empty()) co_return;
  const Status cleaned = co_await clean_ended(run_id);
  if (!cleaned && !stopped_) report_problem(cleaned.error());
}

asio::awaitable<Status> Sweep::remove(LedgerEntry entry) {
  Status removed = co_await remove_ledger_entry(off_loop_, store_, entry, remover_);
  if (removed) {
    result_.removed.push_back(entry.path);
  } else if (removed.error().reason == Reason::timeout) {
    // Asked again for each directory, it would hold up this sweep for hours.
    remover_ = {};
  }
  co_return removed;
}

asio::awaitable<Status> Sweep::remove_all(std::string run_id) {
  RAD_CO_TRY(const std::vector<LedgerEntry> entries, store_.ledger(run_id));
  Status first{};
  for (const LedgerEntry& entry : entries) {
    Status removed = co_await remove(entry);
    if (stopped_) co_return removed;
    if (!removed && first) first = std::move(removed);
  }
  co_return first;
}

asio::awaitable<void> Sweep::end_interrupted(RunReport report) {
  const Status cleaned = co_await remove_all(report.id);
  if (stopped_) co_return;
  if (!cleaned) report_problem(cleaned.error());
  // A hold that it had ordered already has nothing to hold any more.
  forget_hold(options_, report.id);
  (void)store_.remove_hold(report.id);
  mark_interrupted(report, clock_.now());
  set_cleanup(report, cleaned);
  tell(report);
  const Status written = store_.end_run(report);
  if (!written) report_problem(written.error());
  result_.interrupted.push_back(std::move(report));
}

void Sweep::tell(const RunReport& report) {
  const auto proved = store_.last_pass(report.target, report.depth);
  for (const auto& reporter : reporters_) {
    const Status told = reporter->report(report, proved ? *proved : std::optional<TimePoint>{});
    if (told) continue;
    result_.problems.push_back(
        fmt::format("reporter '{}': {}", reporter->name(), told.error().message));
    (void)store_.count_report_error(reporter->name());
  }
}

/// A run that ended and still has something on the host.
asio::awaitable<Status> Sweep::clean_ended(std::string run_id) {
  Status first = co_await remove_all(run_id);
  if (stopped_) co_return first;
  auto run = store_.load_run(run_id);
  if (run && *run && (*run)->ended_at) {
    set_cleanup(**run, first);
    const Status written = store_.end_run(**run);
    if (!written && first) first = written.error();
  }
  if (!first) co_return first;
  forget_hold(options_, run_id);
  co_return store_.remove_hold(run_id);
}

/// What a dead holder left beside the data that is still kept: directories for sockets.
asio::awaitable<void> Sweep::clean_kept(std::vector<LedgerEntry> entries) {
  for (const LedgerEntry& entry : entries) {
    if (entry.kind == LedgerKind::kept) continue;
    const Status removed = co_await remove(entry);
    if (stopped_) co_return;
    if (!removed) report_problem(removed.error());
  }
}

asio::awaitable<Status> remove_ended(const AgentOptions& options, Store& store, const Clock& clock,
                                     std::string run_id) {
  const std::vector<std::unique_ptr<Reporter>> nobody;
  Sweep sweep(options, store, clock, nobody);
  co_return co_await sweep.clean_ended(std::move(run_id));
}

}  // namespace rad
