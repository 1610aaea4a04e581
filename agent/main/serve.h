// `rad-agent serve`: puts the daemon, its store and the metrics listener together.
#pragma once

#include "agent/cli/commands.h"

namespace rad {

/// Runs until SIGTERM or SIGINT; runs that go on then are cancelled, cleaned up and reported.
/// \return 0, or kUsage, or kInconclusive when it could not start
int serve(const cli::CommonOptions& common);

}  // namespace rad
