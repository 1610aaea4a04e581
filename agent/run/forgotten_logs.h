// What plugins of runs said lies in files beside the store; they go with the record of their run.
#pragma once

#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/store/store.h"

namespace rad {

/// Removes state_dir/runs/ID of runs that the store does not know (any more). Those that have
/// changed within a day stay: a run's directory may be there before its record. Nothing is removed
/// while a stand-in has taken the store's place. \return what was removed.
std::vector<std::string> remove_forgotten_logs(const AgentOptions& options, Store& store);

}  // namespace rad
