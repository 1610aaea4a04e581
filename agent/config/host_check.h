// What of the configuration does not fit this host, though it is well written.
#pragma once

#include <vector>

#include "agent/config/config.h"
#include "agent/config/diagnostic.h"

namespace rad {

/// Warnings: groups that are not there, directories that the installed units do not allow. Asks the
/// host's name service.
std::vector<Diagnostic> check_against_host(const AgentOptions& options);

/// Warnings for directories outside of what the packaged units allow. Pure.
std::vector<Diagnostic> check_against_units(const AgentOptions& options);

}  // namespace rad
