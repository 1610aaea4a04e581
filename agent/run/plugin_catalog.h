// The plugins that are installed, and what they say of themselves.
#pragma once

#include <map>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "agent/base/error.h"
#include "agent/config/config.h"
#include "agent/model/plugin_schema.h"
#include "plugins/protocol/messages.h"

namespace rad {

struct PluginCatalog {
  PluginSchemas schemas;
  std::map<std::string, Error> broken;  ///< plugins that could not say what they are
};

PluginSchema to_schema(const protocol::PluginInfo& info);

/// Starts every file in the plugin directory whose name has no leading dot, and everything that has
/// a socket, asks it to describe itself, and ends it; each within 10 s. A directory that is not
/// there is an error, unless there are sockets.
boost::asio::awaitable<Result<PluginCatalog>> describe_plugins(
    boost::asio::any_io_executor executor, const AgentOptions& options);

}  // namespace rad
