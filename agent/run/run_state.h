// What the stages of one run share. Internal to agent/run: the coordinator owns one, the stages
// (run_stages.h), the checks (check_outcomes.h) and the end of a run (run_end.h) work on it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/model/artifact.h"
#include "agent/run/coordinator.h"
#include "agent/run/run_plugins.h"
#include "agent/run/stage_limits.h"
#include "agent/run/workspace.h"

namespace rad {

/// Belongs to the run's executor. Outlives every coroutine that takes it by reference.
struct RunState {
  RunServices services;
  RunRequest request;
  RunObserver* observer = nullptr;  ///< may be null
  RunReport report;
  SteadyPoint began{};
  std::uint64_t scratch_needed = 0;  ///< as the plugins say in preflight
  std::optional<RunLock> lock;
  std::optional<Workspace> workspace;
  std::optional<Account> account;
  std::vector<RunPlugin> plugins;
  StageLimits stage_limits;
  std::optional<Artifact> artifact;
  std::optional<Endpoint> endpoint;
  std::optional<std::string> cancelled;  ///< why, once somebody has asked for it
  Reason cancel_reason = Reason::cancelled;
  RunPlugin* active = nullptr;  ///< whose request is running
  bool cancellable = true;

  /// Writes the record; a store that cannot be written is logged, the run goes on.
  void write_record();
  /// Nothing if no plugin of this name takes part.
  RunPlugin* find(const std::string& name);
  CallLimits limits(Stage stage) const;
  /// Time that has passed, whatever became of the wall clock.
  std::chrono::milliseconds since(SteadyPoint begin) const;
  void add_findings(std::vector<Finding> findings);
};

}  // namespace rad
