// The runs of all targets as the scheduler wants them, kept up to date without reading all of the
// store at each tick. Internal to agent/run.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/model/run_summary.h"
#include "agent/schedule/tick.h"
#include "agent/store/store.h"

namespace rad {

/// One thread. Knows runs of this process and of others (`rad-agent run`) alike: by the store.
class RunHistory {
 public:
  explicit RunHistory(Store& store) : store_(&store) {}

  /// Reads everything from `since` on anew.
  Status load(TimePoint since, TimePoint now);
  /// Reads what has begun or changed since the last call. \return whether anything did.
  Result<bool> refresh(TimePoint now);

  /// Drops runs that have ended and are of no use any more.
  void forget(const OldestNeeded& oldest);

  const std::map<std::string, std::vector<PastRun>>& runs() const noexcept { return runs_; }
  /// Runs that have not ended, as far as the store knows.
  const std::map<std::string, RunSummary>& unfinished() const noexcept { return unfinished_; }
  /// What the last restore of each target took in scratch.
  const std::map<std::string, std::uint64_t>& scratch() const noexcept { return scratch_; }

 private:
  void take(const RunSummary& run);
  void go_on_from(const std::vector<RunSummary>& runs, TimePoint now);

  Store* store_;
  std::map<std::string, std::vector<PastRun>> runs_;
  std::map<std::string, RunSummary> unfinished_;  ///< by id
  std::map<std::string, std::uint64_t> scratch_;
  TimePoint since_{};
};

}  // namespace rad
