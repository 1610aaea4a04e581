#include "agent/run/plugin_catalog.h"

#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/plugin_host/plugin_process.h"
#include "agent/run/run_plugins.h"

namespace rad {
namespace asio = boost::asio;
namespace {

asio::awaitable<Result<protocol::PluginInfo>> describe(asio::any_io_executor executor,
                                                       PluginCommand command,
                                                       std::chrono::milliseconds limit) {
  using namespace std::chrono_literals;
  RAD_CO_TRY(auto process, PluginProcess::start(executor, std::move(command)));
  const protocol::InitializeParams nothing;
  const CallLimits quick{limit, 0s, 1s};
  auto info =
      co_await process->ask<protocol::PluginInfo>("initialize", protocol::to_json(nothing), quick);
  co_await process->stop(2s);
  co_return info;
}

asio::awaitable<Result<boost::json::object>> explain(asio::any_io_executor executor,
                                                     PluginCommand command,
                                                     boost::json::object options) {
  using namespace std::chrono_literals;
  RAD_CO_TRY(auto process, PluginProcess::start(executor, std::move(command)));
  const CallLimits quick{10s, 0s, 1s};
  boost::json::object params;
  params["options"] = std::move(options);
  auto answer = co_await process->call("explain", std::move(params), quick);
  co_await process->stop(2s);
  co_return answer;
}

std::vector<std::string> lines_of(const boost::json::object& answer) {
  constexpr std::size_t kMaxLines = 100;
  constexpr std::size_t kMaxLineBytes = 500;
  std::vector<std::string> lines;
  const auto* list = answer.if_contains("lines");
  if (list == nullptr || !list->is_array()) return lines;
  for (const auto& line : list->get_array()) {
    if (lines.size() >= kMaxLines) break;
    if (line.is_string()) lines.push_back(printable(line.get_string(), kMaxLineBytes));
  }
  return lines;
}

}  // namespace

asio::awaitable<std::vector<ExplainedTarget>> explain_targets(asio::any_io_executor executor,
                                                              const Config& config) {
  std::vector<ExplainedTarget> all;
  for (const TargetConfig& target : config.targets) {
    ExplainedTarget explained;
    explained.target = target.name;
    auto command = find_plugin(target.restore.plugin, config.agent);
    if (!command) continue;  // told already
    auto answer = co_await explain(executor, *std::move(command), target.restore.options.values);
    if (answer) {
      explained.lines = lines_of(*answer);
    } else if (answer.error().reason != Reason::plugin_protocol) {
      explained.error = std::move(answer).error();
    }
    all.push_back(std::move(explained));
  }
  co_return all;
}

PluginSchema to_schema(const protocol::PluginInfo& info) {
  return {info.name,     info.version, info.roles, info.produces,
          info.consumes, info.options, info.checks};
}

std::vector<Diagnostic> judge(const Config& config, const PluginCatalog& catalog) {
  Config judged = config;
  std::erase_if(judged.targets, [&](const TargetConfig& target) {
    return catalog.broken.contains(target.restore.plugin) ||
           (target.instance && catalog.broken.contains(target.instance->plugin));
  });
  std::vector<Diagnostic> mistakes = check_against_plugins(judged, catalog.schemas);
  const std::vector<Diagnostic> unknown = uses_of_broken(config, catalog.broken);
  mistakes.insert(mistakes.end(), unknown.begin(), unknown.end());
  sort_by_position(mistakes);
  return mistakes;
}

asio::awaitable<Result<PluginSchema>> describe_plugin(asio::any_io_executor executor,
                                                      const AgentOptions& options,
                                                      std::string name) {
  RAD_CO_TRY(const PluginCommand command, find_plugin(name, options));
  auto info = co_await describe(executor, command, std::chrono::seconds(10));
  if (!info && info.error().reason == Reason::timeout) {
    info = co_await describe(executor, command, std::chrono::seconds(30));
  }
  RAD_CO_TRY(const protocol::PluginInfo known, std::move(info));
  if (known.name != name) {
    co_return fail(Reason::plugin_protocol,
                   fmt::format("plugin file '{}' calls itself '{}'", name, known.name),
                   "give the file the plugin's name");
  }
  co_return to_schema(known);
}

asio::awaitable<Result<PluginCatalog>> describe_plugins(asio::any_io_executor executor,
                                                        const AgentOptions& options) {
  std::error_code ec;
  std::set<std::string> names;
  for (std::filesystem::directory_iterator it(options.plugin_dir, ec), end; !ec && it != end;
       it.increment(ec)) {
    const std::string name = it->path().filename().string();
    // One that cannot be executed is told as broken below.
    std::error_code unreadable;
    if (it->is_regular_file(unreadable) && name.front() != '.') names.insert(name);
  }
  // Without one, all are child processes.
  std::error_code no_sockets;
  for (std::filesystem::directory_iterator it(options.socket_dir, no_sockets), end;
       !no_sockets && it != end; it.increment(no_sockets)) {
    if (it->path().extension() == ".sock") names.insert(it->path().stem().string());
  }
  if (ec && names.empty()) {
    co_return fail(
        Reason::tool_missing,
        fmt::format("plugin directory '{}': {}", options.plugin_dir.string(), ec.message()),
        "set agent.plugin_dir to the directory that holds the plugins");
  }
  PluginCatalog catalog;
  for (const std::string& name : names) {
    auto schema = co_await describe_plugin(executor, options, name);
    if (schema) {
      catalog.schemas.emplace(name, *std::move(schema));
    } else {
      catalog.broken.emplace(name, std::move(schema).error());
    }
  }
  co_return catalog;
}

}  // namespace rad
