// The plugins that are installed, and what they say of themselves.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "agent/base/error.h"
#include "agent/config/config.h"
#include "agent/config/plugin_check.h"
#include "agent/model/plugin_schema.h"
#include "plugins/protocol/messages.h"

namespace rad {

struct PluginCatalog {
  PluginSchemas schemas;
  BrokenPlugins broken;
};

/// Everything that is wrong with `config` for one run of now: check_against_plugins(), and
/// uses_of_broken().
std::vector<Diagnostic> judge(const Config& config, const PluginCatalog& catalog);

PluginSchema to_schema(const protocol::PluginInfo& info);

/// Starts one plugin, asks it to describe itself, and ends it.
boost::asio::awaitable<Result<PluginSchema>> describe_plugin(boost::asio::any_io_executor executor,
                                                             const AgentOptions& options,
                                                             std::string name);

/// Starts every file in the plugin directory whose name has no leading dot, and everything that has
/// a socket, asks it to describe itself, and ends it; each within 10 s, and once more within 30 s
/// if the host was too busy for that. A directory that is not there is an error, unless there are
/// sockets.
boost::asio::awaitable<Result<PluginCatalog>> describe_plugins(
    boost::asio::any_io_executor executor, const AgentOptions& options);

/// What the restore plugin of a target has understood of its options, or why it could not.
struct ExplainedTarget {
  std::string target;
  std::vector<std::string> lines;  ///< printable; none of a plugin that cannot tell
  std::optional<Error> error;
};

/// Asks the restore plugin of each target, each within 10 s. As the user who runs this, or as the
/// plugin's own behind a socket.
boost::asio::awaitable<std::vector<ExplainedTarget>> explain_targets(
    boost::asio::any_io_executor executor, const Config& config);

}  // namespace rad
