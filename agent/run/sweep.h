// Putting right what a run of a killed agent left: at every start, and every few minutes in the
// daemon.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "agent/base/clock.h"
#include "agent/base/off_loop.h"
#include "agent/base/unique_fd.h"
#include "agent/config/config.h"
#include "agent/run/reporter.h"
#include "agent/run/workspace.h"
#include "agent/store/store.h"

namespace rad {

struct SweepResult {
  std::vector<RunReport> interrupted;  ///< runs that were marked, cleaned up after and reported
  std::vector<std::string> removed;    ///< directories of ended runs (failed cleanups, ended holds)
  std::vector<std::string> problems;   ///< one line each: what could not be put right
};

/// Takes only what it can lock: a run that some process is carrying out is left alone, and two
/// sweeps never work at once. Directories are removed by the ledger and their marker, never by a
/// name pattern; those kept on purpose stay until their time is over.
///
/// Belongs to one executor, which goes on while files are removed. The record of a run is written
/// when all of it is removed or cannot be: who is killed in between leaves the run as it was, to
/// the next sweep.
class Sweep {
 public:
  /// All outlive it.
  Sweep(const AgentOptions& options, Store& store, const Clock& clock,
        const std::vector<std::unique_ptr<Reporter>>& reporters);

  /// Finds out what there is to do; costs little. Nothing while another process sweeps.
  void look();
  /// Targets of the runs that are still to be put right, by run: no run of theirs is to begin. One
  /// goes as soon as everything of it is gone, or could not be removed.
  const std::map<std::string, std::string>& targets() const noexcept { return targets_; }
  /// Does it, once.
  boost::asio::awaitable<SweepResult> work();
  /// work() ends soon, with what it was about undone.
  void stop();

 private:
  boost::asio::awaitable<void> put_right(std::string run_id);
  boost::asio::awaitable<void> end_interrupted(RunReport report);
  boost::asio::awaitable<Status> clean_ended(std::string run_id);
  boost::asio::awaitable<void> clean_kept(std::vector<LedgerEntry> entries);
  boost::asio::awaitable<Status> remove(LedgerEntry entry);
  boost::asio::awaitable<Status> remove_all(std::string run_id);
  void report_problem(const Error& error);
  void add(const std::string& run_id, const std::string& target);
  void tell(const RunReport& report);

  friend boost::asio::awaitable<Status> remove_ended(const AgentOptions& options, Store& store,
                                                     const Clock& clock, std::string run_id);

  const AgentOptions& options_;
  Store& store_;
  const Clock& clock_;
  const std::vector<std::unique_ptr<Reporter>>& reporters_;
  OffLoop off_loop_;
  Remover remover_;
  UniqueFd alone_;
  std::vector<std::string> runs_;  ///< what there is to do
  std::map<std::string, std::string> targets_;
  SweepResult result_;
  bool stopped_ = false;
};

/// Removes everything that a run that has ended left or kept, its hold included, and puts the
/// result into its record. For whoever holds the run's lock; everything given outlives it. \return
/// the first thing that could not be removed: then the hold stays, as lost.
boost::asio::awaitable<Status> remove_ended(const AgentOptions& options, Store& store,
                                            const Clock& clock, std::string run_id);

}  // namespace rad
