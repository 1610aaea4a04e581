#include "agent/config/host_check.h"

#include <cerrno>

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

}  // namespace

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
  return warnings;
}

}  // namespace rad
