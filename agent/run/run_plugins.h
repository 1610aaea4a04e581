// The plugin processes of one run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "agent/base/error.h"
#include "agent/config/plugin_check.h"
#include "agent/plugin_host/plugin_process.h"
#include "agent/run/coordinator.h"
#include "agent/run/run_machine.h"
#include "agent/run/workspace.h"

namespace rad {

/// A plugin of a run: what it is told, and its process once it has been started.
struct RunPlugin {
  std::string name;
  boost::json::object options;
  std::vector<protocol::CheckSpec> checks;  ///< those it can answer at this depth
  PluginDirs dirs;                          ///< once it has been started
  std::unique_ptr<PluginProcess> process;
  bool initialized = false;
};

/// Which plugins take part at this depth, in the order restore, instance, others, each with its
/// checks in the order they are asked. Plugins without anything to do are left out.
std::vector<RunPlugin> plan_plugins(const RunRequest& request, const PluginSchemas& schemas);

/// Every check of the target with whether it applies at this depth, in order.
std::vector<PlannedCheck> plan_checks(const RunRequest& request, const PluginSchemas& schemas);

/// By the directories and sockets of the configuration.
Result<PluginCommand> find_plugin(const std::string& name, const AgentOptions& options);

/// Starts the process and sends `initialize`.
boost::asio::awaitable<Status> start_plugin(RunPlugin& plugin,
                                            boost::asio::any_io_executor executor,
                                            const AgentOptions& options, Workspace& workspace,
                                            const RunReport& report, const std::string& account,
                                            CallLimits limits);

}  // namespace rad
