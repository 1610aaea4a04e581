// A plugin behind a unix socket: the service manager starts it for each connection, in a unit of
// its own and as a user of its own (deploy/systemd, docs/adr/0012-plugins-behind-sockets.md). The
// connection is all that is known of it.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "agent/base/error.h"
#include "agent/base/unique_fd.h"
#include "agent/plugin_host/plugin_peer.h"

namespace rad {

/// A connection just made. `input` and `output` are duplicates of one descriptor.
struct ConnectedPlugin {
  std::shared_ptr<PluginPeer> peer;
  UniqueFd input;
  UniqueFd output;
};

/// Connects without waiting. The socket must have been made by root, by the agent's own user or by
/// `plugin_user` (SO_PEERCRED), in a directory that only root or the agent may write to. At the far
/// end is rad-accept: it obeys the bytes of agent/base/accept_bytes.h, and ends the connection when
/// the plugin and all that it started are dead.
/// \param name  of the plugin, for messages
/// \return tool_missing, access_denied, config_invalid (not to be trusted) or host_unfit
Result<ConnectedPlugin> connect_plugin(const std::string& name, const std::filesystem::path& socket,
                                       const std::string& plugin_user);

/// Asks the remover (rad-remove behind `socket`), which is the plugins' user, to empty `directory`,
/// which belongs to the agent; the directory stays. Blocks, at most for `limit`: what takes longer
/// goes on without us, and is an error until it is done.
Status empty_as_plugin_user(const std::filesystem::path& socket,
                            const std::filesystem::path& directory, const std::string& plugin_user,
                            std::chrono::milliseconds limit);

}  // namespace rad
