#include "agent/config/reload_check.h"

#include <array>

#include <fmt/format.h>

namespace rad {
namespace {

struct ReadOnce {
  std::string_view key;
  std::string (*text)(const AgentOptions&);
};

std::string listen_text(const AgentOptions& options) {
  if (!options.metrics_listen) return "off";
  return fmt::format("{}:{}", options.metrics_listen->host, options.metrics_listen->port);
}

constexpr std::array kReadOnce{
    ReadOnce{"agent.state_dir", [](const AgentOptions& o) { return o.state_dir.string(); }},
    ReadOnce{"agent.scratch_dir", [](const AgentOptions& o) { return o.scratch_dir.string(); }},
    ReadOnce{"agent.runtime_dir", [](const AgentOptions& o) { return o.runtime_dir.string(); }},
    ReadOnce{"agent.control_socket",
             [](const AgentOptions& o) { return o.control_socket.string(); }},
    ReadOnce{"agent.viewer_group", [](const AgentOptions& o) { return o.viewer_group; }},
    ReadOnce{"agent.operator_group", [](const AgentOptions& o) { return o.operator_group; }},
    ReadOnce{"agent.metrics.listen", listen_text},
};

}  // namespace

std::vector<std::string> options_read_once() {
  std::vector<std::string> keys;
  keys.reserve(kReadOnce.size());
  for (const ReadOnce& option : kReadOnce) keys.emplace_back(option.key);
  return keys;
}

std::vector<Diagnostic> check_against_running(const AgentOptions& running,
                                              const AgentOptions& wanted,
                                              const std::string& main_file) {
  std::vector<Diagnostic> errors;
  for (const ReadOnce& option : kReadOnce) {
    const std::string is = option.text(running);
    const std::string asked = option.text(wanted);
    if (is == asked) continue;
    errors.push_back({.at = {.file = main_file},
                      .key = std::string(option.key),
                      .message = fmt::format("found '{}', but the running agent has '{}', and this "
                                             "cannot change while it runs",
                                             asked, is),
                      .hint = "systemctl restart rad-agent takes it over (what is being tested is "
                              "tried again), or take the change back"});
  }
  return errors;
}

}  // namespace rad
