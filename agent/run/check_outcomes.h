// The stage check: asking the plugins, and taking their outcomes. Internal to agent/run.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "agent/model/outcome.h"
#include "agent/run/run_state.h"

namespace rad {

/// Asks every plugin that has checks at this depth, in order.
boost::asio::awaitable<Status> check_stage(RunState& run);

/// Reads CheckResult::outcomes_file. Blocks; throws nothing.
/// \param scratch the plugin's scratch directory. `file` must be a regular file below it that no
///   symbolic link leads to: what it holds is copied into reports.
/// \return plugin_protocol naming the file when it is elsewhere, missing, larger than 64 MiB or no
///   list of outcomes.
Result<std::vector<CheckOutcome>> read_outcomes_file(const std::filesystem::path& scratch,
                                                     const std::string& file);

}  // namespace rad
