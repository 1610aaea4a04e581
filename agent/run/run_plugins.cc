#include "agent/run/run_plugins.h"

#include <algorithm>

namespace rad {
namespace asio = boost::asio;
namespace {

bool applies(const RoutedCheck& routed, Depth depth) {
  return std::find(routed.depths.begin(), routed.depths.end(), depth) != routed.depths.end();
}

/// Options of the request win over those of the target.
boost::json::object restore_options(const RunRequest& request) {
  boost::json::object options = request.target.restore.options.values;
  if (request.backup) options["backup"] = *request.backup;
  if (request.recover_to) options["recover_to"] = *request.recover_to;
  return options;
}

}  // namespace

std::vector<PlannedCheck> plan_checks(const RunRequest& request, const PluginSchemas& schemas) {
  std::vector<PlannedCheck> planned;
  for (const RoutedCheck& routed : route_checks(request.target, schemas)) {
    planned.push_back(
        {routed.check.name, routed.check.check, routed.plugin, applies(routed, request.depth)});
  }
  // Outcomes stand in the order in which data flows: what the restore plugin found comes before
  // what follows from it in the instance.
  const std::vector<std::string> order = plugins_of(request.target, schemas);
  auto rank = [&](const PlannedCheck& check) {
    return std::find(order.begin(), order.end(), check.plugin) - order.begin();
  };
  std::stable_sort(planned.begin(), planned.end(),
                   [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return planned;
}

std::vector<RunPlugin> plan_plugins(const RunRequest& request, const PluginSchemas& schemas) {
  const std::vector<RoutedCheck> routes = route_checks(request.target, schemas);
  std::vector<RunPlugin> plugins;
  for (const std::string& name : plugins_of(request.target, schemas)) {
    RunPlugin plugin;
    plugin.name = name;
    for (const RoutedCheck& routed : routes) {
      if (routed.plugin != name || !applies(routed, request.depth)) continue;
      plugin.checks.push_back({routed.check.name, routed.check.check, routed.check.options.values});
    }
    const bool restores = name == request.target.restore.plugin;
    const bool instance = request.target.instance && name == request.target.instance->plugin;
    if (restores) plugin.options = restore_options(request);
    if (instance && !restores) plugin.options = request.target.instance->options.values;
    const bool needed = restores || (instance && request.depth == Depth::restore);
    if (needed || !plugin.checks.empty()) plugins.push_back(std::move(plugin));
  }
  return plugins;
}

Result<PluginCommand> find_plugin(const std::string& name, const AgentOptions& options) {
  return find_plugin(name, options.plugin_dir, options.libexec_dir, options.socket_dir,
                     options.plugin_user);
}

asio::awaitable<Status> start_plugin(RunPlugin& plugin, asio::any_io_executor executor,
                                     const AgentOptions& options, Workspace& workspace,
                                     const RunReport& report, const std::string& account,
                                     CallLimits limits) {
  RAD_CO_TRY(PluginCommand command, find_plugin(plugin.name, options));
  RAD_CO_TRY(plugin.dirs, workspace.add_plugin(plugin.name));
  RAD_CO_TRY(plugin.process, PluginProcess::start(executor, std::move(command)));
  protocol::InitializeParams params;
  params.run_id = report.id;
  params.target = report.target;
  params.depth = report.depth;
  params.scratch_dir = plugin.dirs.scratch.string();
  params.runtime_dir = plugin.dirs.runtime.string();
  params.account = account;
  params.options = plugin.options;
  params.checks = plugin.checks;
  params.backup_version = report.backup.version;
  auto info = co_await plugin.process->ask<protocol::PluginInfo>("initialize",
                                                                 protocol::to_json(params), limits);
  if (!info) co_return std::move(info).error();
  plugin.initialized = true;
  co_return Status{};
}

}  // namespace rad
