// A plugin as a child process: started behind rad-launch, so that whatever it starts dies with it
// (see agent/base/isolation.h). The only user of Boost.Process is plugin_child.cc.
#pragma once

#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include "agent/base/error.h"
#include "agent/base/unique_fd.h"
#include "agent/plugin_host/plugin_peer.h"
#include "agent/plugin_host/plugin_process.h"

namespace rad {

/// A child just started, and the near ends of its standard input and output.
struct StartedChild {
  std::shared_ptr<PluginPeer> peer;
  UniqueFd input;
  UniqueFd output;
};

/// \return host_unfit when it cannot be started or watched; nothing is left running then.
Result<StartedChild> start_child(boost::asio::any_io_executor executor,
                                 const PluginCommand& command);

}  // namespace rad
