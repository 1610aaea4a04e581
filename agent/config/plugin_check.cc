#include "agent/config/plugin_check.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/config/option_check.h"

namespace rad {
namespace {

bool has_role(const PluginSchema& plugin, Role role) {
  return std::find(plugin.roles.begin(), plugin.roles.end(), role) != plugin.roles.end();
}

bool intersect(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::find_first_of(a.begin(), a.end(), b.begin(), b.end()) != a.end();
}

std::string joined(const std::vector<std::string>& words) {
  return words.empty() ? "nothing" : fmt::format("{}", fmt::join(words, ", "));
}

const PluginSchema* find_plugin(const PluginSchemas& plugins, const std::string& name) {
  const auto found = plugins.find(name);
  return found == plugins.end() ? nullptr : &found->second;
}

struct Offer {
  const PluginSchema* plugin = nullptr;
  const PluginCheck* check = nullptr;
};

const PluginCheck* check_of(const PluginSchema& plugin, const std::string& type) {
  for (const auto& check : plugin.checks) {
    if (check.type == type) return &check;
  }
  return nullptr;
}

/// Whether the plugin can be asked on behalf of the target: it is its restore or instance plugin,
/// or it needs nothing but an endpoint.
bool serves(const PluginSchema& plugin, const TargetConfig& target) {
  if (plugin.name == target.restore.plugin) return true;
  if (target.instance && plugin.name == target.instance->plugin) return true;
  return has_role(plugin, Role::check);
}

/// The target's own plugins come before others that offer the same type.
Offer find_offer(const TargetConfig& target, const std::string& type,
                 const PluginSchemas& plugins) {
  for (const auto& name :
       {target.restore.plugin, target.instance ? target.instance->plugin : std::string()}) {
    const auto* plugin = find_plugin(plugins, name);
    if (plugin == nullptr) continue;
    if (const auto* check = check_of(*plugin, type)) return {plugin, check};
  }
  for (const auto& [name, plugin] : plugins) {
    const auto* check = check_of(plugin, type);
    if (check != nullptr && serves(plugin, target)) return {&plugin, check};
  }
  return {};
}

/// Looks at one target.
class TargetChecker {
 public:
  TargetChecker(const TargetConfig& target, const Config& config, const PluginSchemas& plugins,
                const BrokenPlugins& broken, std::vector<Diagnostic>& errors)
      : target_(target),
        rotations_(config.rotations),
        plugins_(plugins),
        broken_(broken),
        errors_(errors) {}

  void run() {
    if (broken_plugin_of(target_, plugins_, broken_) != nullptr) return;
    const auto* restore = checked_plugin(target_.restore, Role::restore, ".restore");
    const PluginSchema* instance = nullptr;
    if (target_.instance) {
      instance = checked_plugin(*target_.instance, Role::instance, ".instance");
    }
    if (restore != nullptr && instance != nullptr &&
        !intersect(restore->produces, instance->consumes)) {
      add(target_.instance->at, ".instance.plugin",
          fmt::format("plugin '{}' takes {}, but '{}' restores {}", instance->name,
                      joined(instance->consumes), restore->name, joined(restore->produces)),
          "choose an instance plugin that takes what the restore plugin makes");
    }
    for (std::size_t i = 0; i < target_.checks.size(); ++i) {
      check_check(target_.checks[i], fmt::format(".checks[{}]", i), instance);
    }
    // With a plugin unknown its checks are too, and every depth would seem unproved.
    const bool all_known = restore != nullptr && (!target_.instance || instance != nullptr);
    if (all_known) check_proofs();
  }

 private:
  void add(const SourceMark& at, std::string_view path, std::string message, std::string hint) {
    errors_.push_back({.at = at,
                       .key = target_.path + std::string(path),
                       .message = std::move(message),
                       .hint = std::move(hint)});
  }

  const PluginSchema* checked_plugin(const PluginConfig& section, Role role,
                                     const std::string& path) {
    const auto* plugin = find_plugin(plugins_, section.plugin);
    if (plugin == nullptr) {
      unknown_plugin(section, role, path);
      return nullptr;
    }
    if (!has_role(*plugin, role)) {
      add(section.at, path + ".plugin",
          fmt::format("plugin '{}' has not the role {}", plugin->name, to_string(role)),
          "plugins that have it: " + joined(plugins_with(role)));
      return nullptr;
    }
    check_plugin_options(section.options, plugin->options, fmt::format("plugin '{}'", plugin->name),
                         target_.path + path, section.at, errors_);
    return plugin;
  }

  std::vector<std::string> plugins_with(Role role) const {
    std::vector<std::string> names;
    for (const auto& [name, plugin] : plugins_) {
      if (has_role(plugin, role)) names.push_back(name);
    }
    return names;
  }

  void unknown_plugin(const PluginConfig& section, Role role, const std::string& path) {
    const auto names = plugins_with(role);
    const auto near = closest(section.plugin, names);
    add(section.at, path + ".plugin",
        fmt::format("plugin '{}' is not installed", printable(section.plugin, 80)),
        near ? fmt::format("did you mean '{}'?", *near)
             : fmt::format("plugins with the role {}: {}", to_string(role), joined(names)));
  }

  void check_check(const CheckConfig& check, const std::string& path,
                   const PluginSchema* instance) {
    const auto offer = find_offer(target_, check.check, plugins_);
    if (offer.check == nullptr) {
      unknown_check(check, path);
      return;
    }
    check_plugin_options(check.options, offer.check->options,
                         fmt::format("check '{}'", check.check), target_.path + path, check.at,
                         errors_);
    // The restore plugin answers from the backup itself; every other one needs an endpoint.
    if (offer.plugin->name == target_.restore.plugin) return;
    if (!target_.instance) {
      add(check.at, path + ".check",
          fmt::format("check '{}' asks a running instance, but the target has no 'instance'",
                      check.check),
          "add instance: {plugin: …}; plugins with the role instance: " +
              joined(plugins_with(Role::instance)));
    } else if (instance != nullptr && !intersect(instance->produces, offer.plugin->consumes)) {
      add(check.at, path + ".check",
          fmt::format("check '{}' of plugin '{}' asks {}, but '{}' offers {}", check.check,
                      offer.plugin->name, joined(offer.plugin->consumes), instance->name,
                      joined(instance->produces)),
          "");
    }
  }

  void unknown_check(const CheckConfig& check, const std::string& path) {
    std::vector<std::string> types;
    for (const auto& [name, plugin] : plugins_) {
      for (const auto& offered : plugin.checks) {
        if (offered.type == check.check) {
          add(check.at, path + ".check",
              fmt::format("check '{}' belongs to plugin '{}', which this target does not use",
                          check.check, name),
              "");
          return;
        }
        if (serves(plugin, target_)) types.push_back(offered.type);
      }
    }
    const auto near = closest(check.check, types);
    add(check.at, path + ".check",
        fmt::format("no plugin offers a check '{}'", printable(check.check, 80)),
        near ? fmt::format("did you mean '{}'?", *near)
             : fmt::format("checks for this target: {}", joined(types)));
  }

  void check_proofs() {
    const auto routed = route_checks(target_, plugins_);
    for (std::size_t i = 0; i < target_.schedules.size(); ++i) {
      const auto& schedule = target_.schedules[i];
      check_proof(routed, schedule.depth, schedule.at,
                  fmt::format("{}.schedules[{}].depth", target_.path, i), "the target");
    }
    for (std::size_t i = 0; i < rotations_.size(); ++i) {
      const auto& members = rotations_[i].members;
      if (std::find(members.begin(), members.end(), target_.name) == members.end()) continue;
      check_proof(routed, rotations_[i].depth, rotations_[i].at,
                  fmt::format("rotations[{}].depth", i),
                  fmt::format("its member '{}'", target_.name));
    }
  }

  void check_proof(const std::vector<RoutedCheck>& routed, Depth depth, const SourceMark& at,
                   std::string key, const std::string& whose) {
    const auto needed = needed_proof(depth);
    const auto proves = [&](const auto& check) {
      return check.proof >= needed &&
             std::find(check.depths.begin(), check.depths.end(), depth) != check.depths.end();
    };
    if (std::any_of(routed.begin(), routed.end(), proves)) return;
    std::vector<std::string> able;
    for (const auto& [name, plugin] : plugins_) {
      for (const auto& check : plugin.checks) {
        if (serves(plugin, target_) && proves(check)) able.push_back(check.type);
      }
    }
    errors_.push_back(
        {.at = at,
         .key = std::move(key),
         .message = fmt::format("found '{}', but no check of {} can prove {} at that depth: its "
                                "runs could never pass",
                                to_string(depth), whose, to_string(needed)),
         .hint = "add one of these checks: " + joined(able)});
  }

  const TargetConfig& target_;
  const std::vector<RotationConfig>& rotations_;
  const PluginSchemas& plugins_;
  const BrokenPlugins& broken_;
  std::vector<Diagnostic>& errors_;
};

}  // namespace

std::vector<Diagnostic> check_against_plugins(const Config& config, const PluginSchemas& plugins,
                                              const BrokenPlugins& broken) {
  std::vector<Diagnostic> errors;
  for (const auto& target : config.targets) {
    TargetChecker(target, config, plugins, broken, errors).run();
  }
  sort_by_position(errors);
  return errors;
}

const Error* broken_plugin_of(const TargetConfig& target, const PluginSchemas& plugins,
                              const BrokenPlugins& broken) {
  if (broken.empty()) return nullptr;
  auto found = broken.find(target.restore.plugin);
  if (found == broken.end() && target.instance) found = broken.find(target.instance->plugin);
  if (found != broken.end()) return &found->second;
  const bool all_offered =
      std::all_of(target.checks.begin(), target.checks.end(), [&](const CheckConfig& check) {
        return find_offer(target, check.check, plugins).check != nullptr;
      });
  return all_offered ? nullptr : &broken.begin()->second;
}

std::vector<Diagnostic> uses_of_broken(const Config& config, const BrokenPlugins& broken) {
  std::vector<Diagnostic> uses;
  const auto look = [&](const TargetConfig& target, const PluginConfig& section,
                        std::string_view key) {
    const auto found = broken.find(section.plugin);
    if (found == broken.end()) return;
    uses.push_back({.at = section.at,
                    .key = target.path + std::string(key),
                    .message = fmt::format("plugin '{}' is installed, but does not answer: {}",
                                           section.plugin, found->second.message),
                    .hint = found->second.hint});
  };
  for (const auto& target : config.targets) {
    look(target, target.restore, ".restore.plugin");
    if (target.instance) look(target, *target.instance, ".instance.plugin");
  }
  sort_by_position(uses);
  return uses;
}

std::vector<RoutedCheck> route_checks(const TargetConfig& target, const PluginSchemas& plugins) {
  std::vector<RoutedCheck> routed;
  const auto is_configured = [&](const std::string& type) {
    return std::any_of(target.checks.begin(), target.checks.end(),
                       [&](const CheckConfig& check) { return check.check == type; });
  };
  std::vector<std::string> own{target.restore.plugin};
  if (target.instance && target.instance->plugin != target.restore.plugin) {
    own.push_back(target.instance->plugin);
  }
  for (const auto& name : own) {
    const auto* plugin = find_plugin(plugins, name);
    if (plugin == nullptr) continue;
    for (const auto& check : plugin->checks) {
      if (!check.by_default || is_configured(check.type)) continue;
      routed.push_back(
          {.check = {.name = check.type, .check = check.type, .options = {}, .at = target.at},
           .plugin = name,
           .depths = check.depths,
           .proof = check.proof});
    }
  }
  for (const auto& check : target.checks) {
    const auto offer = find_offer(target, check.check, plugins);
    if (offer.check == nullptr) continue;
    routed.push_back({.check = check,
                      .plugin = offer.plugin->name,
                      .depths = offer.check->depths,
                      .proof = offer.check->proof});
  }
  return routed;
}

std::vector<std::string> plugins_of(const TargetConfig& target, const PluginSchemas& plugins) {
  std::vector<std::string> names{target.restore.plugin};
  const auto add = [&names](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  if (target.instance) add(target.instance->plugin);
  for (const auto& check : route_checks(target, plugins)) add(check.plugin);
  return names;
}

}  // namespace rad
