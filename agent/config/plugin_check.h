// Does the configuration fit the plugins that are installed? Pure.
#pragma once

#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/model/plugin_schema.h"

namespace rad {

/// One check of a target with the plugin that answers it.
struct RoutedCheck {
  CheckConfig check;
  std::string plugin;
  std::vector<Depth> depths;
  Proof proof = Proof::none;
};

/// Every mistake: unknown plugin, wrong role, kinds that do not fit (restore -> artifact ->
/// instance -> endpoint -> check), unknown check, unknown, ill-typed or missing option, a schedule
/// or rotation whose depth no check of the target can prove. Sorted by position.
std::vector<Diagnostic> check_against_plugins(const Config& config, const PluginSchemas& plugins);

/// The checks of a target in the order they are asked: first those that its plugins ask by default
/// and that it does not name itself, then the configured ones. Checks that nobody offers are left
/// out (check_against_plugins() reports them).
std::vector<RoutedCheck> route_checks(const TargetConfig& target, const PluginSchemas& plugins);

/// The plugins a target uses: restore, then instance, then those of its checks; no doubles.
std::vector<std::string> plugins_of(const TargetConfig& target, const PluginSchemas& plugins);

}  // namespace rad
