#include "agent/run/run_history.h"

#include <algorithm>

namespace rad {
using namespace std::chrono_literals;

namespace {

/// Runs that begin while the store is being read stand in it a little later than they say.
constexpr auto kSlack = 1min;

PastRun to_past(const RunSummary& run) {
  PastRun past;
  past.schedule = run.schedule;
  past.depth = run.depth;
  past.begun_at = run.created_at;
  past.ended_at = run.ended_at;
  if (run.ended_at) past.verdict = run.verdict;
  past.interrupted = run.reason == Reason::interrupted;
  past.id = run.id;
  past.target = run.target;
  past.backup = run.backup;
  past.reason = run.reason;
  past.slot = run.slot;
  return past;
}

}  // namespace

Status RunHistory::load(TimePoint since, TimePoint now) {
  runs_.clear();
  unfinished_.clear();
  scratch_.clear();
  since_ = since;
  RAD_TRY(const std::vector<LatestRun> latest, store_->latest_runs());
  for (const LatestRun& row : latest) {
    if (row.report.bytes_restored != 0) {
      scratch_[row.report.target] = row.report.bytes_restored;
    }
  }
  RAD_TRY(const std::vector<RunSummary> runs, store_->runs_since(since));
  for (const RunSummary& run : runs) take(run);
  go_on_from(runs, now);
  return {};
}

Result<bool> RunHistory::refresh(TimePoint now) {
  TimePoint since = since_;
  for (const auto& [id, run] : unfinished_) since = std::min(since, run.created_at);
  RAD_TRY(const std::vector<RunSummary> runs, store_->runs_since(since));
  bool changed = false;
  for (const RunSummary& run : runs) {
    const std::vector<PastRun>& known = runs_[run.target];
    const auto same = std::ranges::find(known, run.id, &PastRun::id);
    if (same != known.end() && same->ended_at == run.ended_at) continue;
    // A run that answers no slot matters as long as it holds its target.
    if (!run.as_configured && run.ended_at.has_value() != unfinished_.contains(run.id)) continue;
    changed = true;
    take(run);
  }
  go_on_from(runs, now);
  return changed;
}

/// Runs of a clock that was ahead hide none of those to come.
void RunHistory::go_on_from(const std::vector<RunSummary>& runs, TimePoint now) {
  if (!runs.empty()) since_ = std::max(since_, std::min(runs.back().created_at, now) - kSlack);
}

void RunHistory::forget(const OldestNeeded& oldest) {
  // What the store still tells of at each look would seem new again.
  TimePoint told = since_;
  for (const auto& [id, run] : unfinished_) told = std::min(told, run.created_at);
  for (auto& [target, known] : runs_) {
    std::erase_if(known, [&](const PastRun& run) {
      const auto needed = oldest.find({run.target, run.depth});
      return run.ended_at && run.begun_at < told &&
             (needed == oldest.end() || run.begun_at < needed->second);
    });
  }
  std::erase_if(runs_, [](const auto& entry) { return entry.second.empty(); });
}

void RunHistory::take(const RunSummary& run) {
  std::vector<PastRun>& known = runs_[run.target];
  std::erase_if(known, [&](const PastRun& one) { return one.id == run.id; });
  if (run.ended_at) {
    unfinished_.erase(run.id);
  } else {
    unfinished_[run.id] = run;
  }
  if (run.bytes_restored != 0) scratch_[run.target] = run.bytes_restored;
  if (run.as_configured) known.push_back(to_past(run));
}

}  // namespace rad
