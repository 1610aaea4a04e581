#include <cstdio>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/cli/commands.h"
#include "agent/config/host_check.h"
#include "agent/config/loader.h"
#include "agent/config/plugin_check.h"
#include "agent/config/program_dirs.h"
#include "agent/run/plugin_catalog.h"

namespace rad::cli {
namespace {

void add(std::vector<Diagnostic>& errors, const Error& error) {
  errors.push_back({{}, "agent.plugin_dir", error.message, error.hint});
}

/// Mistakes that only the plugins can tell.
std::vector<Diagnostic> ask_plugins(const Config& config, std::vector<Diagnostic>& warnings) {
  boost::asio::io_context context(1);
  auto answer = boost::asio::co_spawn(
      context, describe_plugins(context.get_executor(), config.agent), boost::asio::use_future);
  context.run();
  std::vector<Diagnostic> errors;
  auto catalog = answer.get();
  if (!catalog) {
    add(errors, catalog.error());
    return errors;
  }
  for (const auto& [name, error] : catalog->broken) add(warnings, error);
  return judge(config, *catalog);
}

/// What the plugins make of the targets' options, and as warnings what they cannot use.
std::vector<ExplainedTarget> ask_for_meaning(LoadResult& loaded) {
  boost::asio::io_context context(1);
  auto answer = boost::asio::co_spawn(
      context, explain_targets(context.get_executor(), loaded.config), boost::asio::use_future);
  context.run();
  std::vector<ExplainedTarget> all = answer.get();
  for (const ExplainedTarget& explained : all) {
    if (!explained.error) continue;
    const Error& error = *explained.error;
    Diagnostic diagnostic{
        {}, fmt::format("target '{}'", explained.target), error.message, error.hint};
    for (const TargetConfig& target : loaded.config.targets) {
      if (target.name == explained.target) diagnostic.at = target.at;
    }
    // No mistake of the file: it may be checked on another host, or as another user.
    loaded.warnings.push_back(std::move(diagnostic));
  }
  return all;
}

std::string to_text(const std::vector<ExplainedTarget>& all) {
  std::string text;
  for (const ExplainedTarget& explained : all) {
    for (const std::string& line : explained.lines) {
      text += fmt::format("{}: {}\n", explained.target, line);
    }
  }
  return text;
}

boost::json::object to_json(const std::vector<ExplainedTarget>& all) {
  boost::json::object object;
  for (const ExplainedTarget& explained : all) {
    object[explained.target] = boost::json::array(explained.lines.begin(), explained.lines.end());
  }
  return object;
}

}  // namespace

int check_config_command(const CommonOptions& common, bool with_plugins) {
  LoadResult loaded = load_config(common.config);
  std::vector<ExplainedTarget> explained;
  if (loaded.ok() && with_plugins) {
    const ProgramDirs dirs = default_program_dirs(common.executable);
    AgentOptions& agent = loaded.config.agent;
    if (agent.plugin_dir.empty()) agent.plugin_dir = dirs.plugin_dir;
    if (agent.libexec_dir.empty()) agent.libexec_dir = dirs.libexec_dir;
    loaded.errors = ask_plugins(loaded.config, loaded.warnings);
    if (loaded.ok()) explained = ask_for_meaning(loaded);
    const auto unfit = check_against_host(agent);
    loaded.warnings.insert(loaded.warnings.end(), unfit.begin(), unfit.end());
  }
  std::size_t schedules = 0;
  for (const TargetConfig& target : loaded.config.targets) schedules += target.schedules.size();
  if (common.json) {
    boost::json::object answer;
    answer["ok"] = loaded.ok();
    answer["errors"] = to_json(loaded.errors);
    answer["warnings"] = to_json(loaded.warnings);
    answer["targets"] = loaded.config.targets.size();
    answer["schedules"] = schedules;
    answer["understood"] = to_json(explained);
    write_out(stdout, json::pretty(answer));
    return loaded.ok() ? kOk : kUsage;
  }
  write_out(stderr, fmt::format("{}{}", to_text(loaded.warnings, "warning"),
                                to_text(loaded.errors, "error")));
  if (!loaded.ok()) {
    write_out(stderr, fmt::format("{} mistake{} in {}\n", loaded.errors.size(),
                                  loaded.errors.size() == 1 ? "" : "s", common.config.string()));
    return kUsage;
  }
  write_out(stdout, fmt::format("ok: {}: {} targets, {} schedules, {} reporters{}\n",
                                common.config.string(), loaded.config.targets.size(), schedules,
                                loaded.config.reporters.size(),
                                with_plugins ? ", all options known to their plugins" : ""));
  write_out(stdout, to_text(explained));
  return kOk;
}

}  // namespace rad::cli
