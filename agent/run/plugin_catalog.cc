#include "agent/run/plugin_catalog.h"

#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "agent/plugin_host/plugin_process.h"
#include "agent/run/run_plugins.h"

namespace rad {
namespace asio = boost::asio;
namespace {

asio::awaitable<Result<protocol::PluginInfo>> describe(asio::any_io_executor executor,
                                                       PluginCommand command) {
  using namespace std::chrono_literals;
  RAD_CO_TRY(auto process, PluginProcess::start(executor, std::move(command)));
  const protocol::InitializeParams nothing;
  const CallLimits quick{10s, 0s, 1s};
  auto info =
      co_await process->ask<protocol::PluginInfo>("initialize", protocol::to_json(nothing), quick);
  co_await process->stop(2s);
  co_return info;
}

}  // namespace

PluginSchema to_schema(const protocol::PluginInfo& info) {
  return {info.name,     info.version, info.roles, info.produces,
          info.consumes, info.options, info.checks};
}

asio::awaitable<Result<PluginCatalog>> describe_plugins(asio::any_io_executor executor,
                                                        const AgentOptions& options) {
  std::error_code ec;
  std::set<std::string> names;
  for (std::filesystem::directory_iterator it(options.plugin_dir, ec), end; !ec && it != end;
       it.increment(ec)) {
    const std::string name = it->path().filename().string();
    // One that cannot be executed is told as broken below.
    if (it->is_regular_file() && name.front() != '.') names.insert(name);
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
    auto command = find_plugin(name, options);
    if (!command) {
      catalog.broken.emplace(name, std::move(command).error());
      continue;
    }
    auto info = co_await describe(executor, *command);
    if (!info) {
      catalog.broken.emplace(name, std::move(info).error());
    } else if (info->name != name) {
      catalog.broken.emplace(
          name, fail(Reason::plugin_protocol,
                     fmt::format("plugin file '{}' calls itself '{}'", name, info->name),
                     "give the file the plugin's name"));
    } else {
      catalog.schemas.emplace(name, to_schema(*info));
    }
  }
  co_return catalog;
}

}  // namespace rad
