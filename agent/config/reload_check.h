// What of a new configuration an agent that is running cannot take over. Pure.
#pragma once

#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/config/diagnostic.h"

namespace rad {

/// The options that were read once, at the start: locks, the store and sockets lie where they say.
/// Keys of the rows with `reloadable` = false.
std::vector<std::string> options_read_once();

/// One mistake for each of them that differs. \param main_file  of `wanted`, for the message
std::vector<Diagnostic> check_against_running(const AgentOptions& running,
                                              const AgentOptions& wanted,
                                              const std::string& main_file);

}  // namespace rad
