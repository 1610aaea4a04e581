// What the daemon does about held instances. Each is kept by a holder (holder.h), a process of its
// own; the daemon calls it, watches it by its lock, tells people of it, and ends it by the store.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/config/config.h"
#include "agent/model/operations.h"
#include "agent/run/daemon_views.h"
#include "agent/store/store.h"

namespace rad {

/// One thread.
class Holds {
 public:
  /// Both outlive it.
  Holds(Store& store, const Clock& clock);

  /// Calls a holder for what needs one: a new hold, a lost one that was released or whose time is
  /// over. What has lost its holder is marked as lost. Costs little; called at each tick.
  void look(const AgentOptions& options, const std::filesystem::path& config);

  /// \return config_invalid when the run is not held.
  Result<Hold> find(const std::string& run_id) const;
  /// The instance is taken down within seconds, its data then removed.
  Status release(const std::string& run_id);
  std::vector<HoldView> views(const AgentOptions& options) const;

 private:
  void call(const AgentOptions& options, const std::filesystem::path& config, const Hold& hold);

  Store& store_;
  const Clock& clock_;
  /// When a holder was called, by run; nothing once it has come.
  std::map<std::string, std::optional<SteadyPoint>> called_;
};

}  // namespace rad
