// Does the configuration fit the plugins that are installed? Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "agent/config/config.h"
#include "agent/model/plugin_schema.h"

namespace rad {

/// Plugins that are installed, with why they could not say what they are.
using BrokenPlugins = std::map<std::string, Error>;

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
///
/// What may be the business of a plugin that is installed but did not answer is no mistake:
/// targets that use it, checks that nobody else offers.
std::vector<Diagnostic> check_against_plugins(const Config& config, const PluginSchemas& plugins,
                                              const BrokenPlugins& broken = {});

/// Each target's restore and instance plugin that is installed but could not say what it is.
std::vector<Diagnostic> uses_of_broken(const Config& config, const BrokenPlugins& broken);

/// Why the target cannot be tested now: the error of its first plugin that is broken, or of one
/// that may own a check which nobody else offers. \return nullptr if nothing is in the way.
const Error* broken_plugin_of(const TargetConfig& target, const PluginSchemas& plugins,
                              const BrokenPlugins& broken);

/// The checks of a target in the order they are asked: first those that its plugins ask by default
/// and that it does not name itself, then the configured ones. Checks that nobody offers are left
/// out (check_against_plugins() reports them).
std::vector<RoutedCheck> route_checks(const TargetConfig& target, const PluginSchemas& plugins);

/// The plugins a target uses: restore, then instance, then those of its checks; no doubles.
std::vector<std::string> plugins_of(const TargetConfig& target, const PluginSchemas& plugins);

}  // namespace rad
