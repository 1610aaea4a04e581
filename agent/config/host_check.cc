#include "agent/config/host_check.h"

#include <array>
#include <cerrno>
#include <filesystem>

#include <fmt/format.h>
#include <grp.h>

namespace rad {
namespace {

bool has_group(const std::string& name) {
  std::vector<char> space(4096);
  group record{};
  group* found = nullptr;
  while (::getgrnam_r(name.c_str(), &record, space.data(), space.size(), &found) == ERANGE) {
    if (space.size() > (1U << 20U)) return true;
    space.resize(space.size() * 4);
  }
  return found != nullptr;
}

bool is_below(const std::filesystem::path& path, const std::filesystem::path& top) {
  const auto relative = path.lexically_normal().lexically_relative(top);
  return !relative.empty() && *relative.begin() != "..";
}

}  // namespace

std::vector<Diagnostic> check_against_units(const AgentOptions& options) {
  struct Place {
    std::string_view key;
    const std::filesystem::path& path;
    std::string_view allowed;
    std::string_view units;
  };
  constexpr std::string_view kAgentOnly = "rad-agent.service rad-hold@.service";
  constexpr std::string_view kAll =
      "rad-agent.service rad-hold@.service rad-remove@.service rad-plugin-wal_e@.service "
      "rad-plugin-postgresql@.service";
  const std::array places{
      Place{"agent.state_dir", options.state_dir, "/var/lib/rad-agent", kAgentOnly},
      Place{"agent.scratch_dir", options.scratch_dir, "/var/lib/rad-agent/scratch", kAll},
      Place{"agent.runtime_dir", options.runtime_dir, "/run/rad-agent", kAll},
  };
  std::vector<Diagnostic> warnings;
  for (const Place& place : places) {
    if (is_below(place.path, place.allowed)) continue;
    warnings.push_back(
        {.at = {},
         .key = std::string(place.key),
         .message = fmt::format("'{}' is outside of '{}', and the installed units may not write "
                                "there: under systemd its runs will fail",
                                place.path.string(), place.allowed),
         .hint = fmt::format("`systemctl edit {}` with the lines \"[Service]\" and "
                             "\"ReadWritePaths={}\", and let it belong to rad-agent, mode 0711",
                             place.units, place.path.string())});
  }
  return warnings;
}

std::vector<Diagnostic> check_against_host(const AgentOptions& options) {
  std::vector<Diagnostic> warnings;
  const auto check = [&](std::string key, const std::string& name, std::string_view what) {
    if (has_group(name)) return;
    warnings.push_back({.at = {},
                        .key = std::move(key),
                        .message = fmt::format("there is no group '{}' on this host: only root and "
                                               "the agent's own user may {}",
                                               name, what),
                        .hint = fmt::format("make it with `groupadd --system {}`", name)});
  };
  check("agent.viewer_group", options.viewer_group, "look");
  check("agent.operator_group", options.operator_group, "act");
  std::error_code none;
  if (std::filesystem::exists("/lib/systemd/system/rad-agent.service", none)) {
    const auto outside = check_against_units(options);
    warnings.insert(warnings.end(), outside.begin(), outside.end());
  }
  return warnings;
}

}  // namespace rad
