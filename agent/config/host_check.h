// What of the configuration does not fit this host, though it is well written.
#pragma once

#include <vector>

#include "agent/config/config.h"
#include "agent/config/diagnostic.h"

namespace rad {

/// Warnings: groups that are not there. Asks the host's name service.
std::vector<Diagnostic> check_against_host(const AgentOptions& options);

}  // namespace rad
