// What plugins of runs said lies in files beside the store; they go with the record of their run.
#pragma once

#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/store/store.h"

namespace rad {

/// Removes state_dir/runs/ID of runs that the store does not know (any more). Those that have
/// changed within a day stay: a run's directory may be there before its record. So do
/// those of a run that is held or has left something on the host. Nothing is removed while a
/// stand-in has taken the store's place, or while a damaged store lies beside it: its runs have no
/// record, and the logs are the last that tells of them. \return what was removed.
std::vector<std::string> remove_forgotten_logs(const AgentOptions& options, Store& store);

}  // namespace rad
