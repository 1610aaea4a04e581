#include <cstdio>

#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/cli/commands.h"
#include "agent/config/loader.h"
#include "agent/config/program_dirs.h"
#include "agent/model/json.h"

namespace rad::cli {

void print_error(const Error& error) {
  print_problem(error.message, error.hint);
}

void answer_error(const Error& error, const CommonOptions& common) {
  if (!common.json) return;
  boost::json::object answer;
  answer["error"] = to_json(error);
  write_out(stdout, json::pretty(answer));
}

std::optional<Config> load_or_explain(const CommonOptions& common) {
  LoadResult loaded = load_config(common.config);
  write_out(stderr, to_text(loaded.warnings, "warning"));
  if (!loaded.ok()) {
    write_out(stderr, to_text(loaded.errors, "error"));
    const std::string sum = fmt::format("{} found in {}",
                                        loaded.errors.size() == 1
                                            ? "1 mistake was"
                                            : fmt::format("{} mistakes were", loaded.errors.size()),
                                        common.config.string());
    write_out(stderr, fmt::format("{}\n", sum));
    answer_error(fail(Reason::config_invalid, sum, "rad-agent check-config --json lists them"),
                 common);
    return std::nullopt;
  }
  const ProgramDirs dirs = default_program_dirs(common.executable);
  AgentOptions& agent = loaded.config.agent;
  if (agent.plugin_dir.empty()) agent.plugin_dir = dirs.plugin_dir;
  if (agent.libexec_dir.empty()) agent.libexec_dir = dirs.libexec_dir;
  return std::move(loaded.config);
}

const TargetConfig* find_target_or_explain(const Config& config, const CommonOptions& common,
                                           const std::string& name) {
  const TargetConfig* target = config.find_target(name);
  if (target != nullptr) return target;
  Error error = unknown_target(config, name);
  error.message += " in " + common.config.string();
  print_error(error);
  answer_error(error, common);
  return nullptr;
}

Status prepare_state(const AgentOptions& options) {
  std::error_code ec;
  std::filesystem::create_directories(options.state_dir, ec);
  if (!ec) {
    std::filesystem::permissions(options.state_dir, std::filesystem::perms::owner_all,
                                 std::filesystem::perm_options::add, ec);
  }
  if (!ec) return {};
  return fail(
      Reason::host_unfit,
      fmt::format("cannot use state directory '{}': {}", options.state_dir.string(), ec.message()),
      "set agent.state_dir to a directory that this user may write", options.state_dir.string());
}

}  // namespace rad::cli
