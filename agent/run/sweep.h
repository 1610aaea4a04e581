// Putting right what a run of a killed agent left: at every start, and hourly in the daemon.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/config/config.h"
#include "agent/run/reporter.h"
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
SweepResult sweep(const AgentOptions& options, Store& store, const Clock& clock,
                  const std::vector<std::unique_ptr<Reporter>>& reporters);

/// Removes everything that a run that has ended left or kept, its hold included, and puts the
/// result into its record. For whoever holds the run's lock. \return the first thing that could not
/// be removed: then the hold stays, as lost.
Status remove_ended(const AgentOptions& options, Store& store, const std::string& run_id);

}  // namespace rad
