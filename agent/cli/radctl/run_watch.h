// Follows a run to its end: live progress on stderr, the result on stdout.
#pragma once

#include <chrono>
#include <string>

#include "agent/cli/radctl/context.h"
#include "agent/cli/radctl/interrupts.h"

namespace rad::radctl {

struct WatchOptions {
  /// How long to look for an agent that went away in the middle, e.g. for its restart.
  std::chrono::milliseconds patience{std::chrono::minutes(5)};
};

/// \return the exit status of the run (agent/model/run_report.h); kInterrupted when the watcher was
///   told to leave (the run goes on); kUnreachable when the agent did not come back
/// \param interrupts what came before, while the run was asked for, counts
int watch_run(const Context& context, const std::string& run_id, const WatchOptions& options,
              Interrupts& interrupts);

}  // namespace rad::radctl
