// Asking a restore plugin what there is, beside all runs.
#pragma once

#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/config/config.h"
#include "agent/store/store.h"
#include "plugins/protocol/messages.h"

namespace rad {

/// Starts the target's restore plugin alone, in directories that are removed again, asks it and
/// ends it; a minute at most for its answer. Everything outlives the call.
/// \return config_invalid when the plugin cannot list; the plugin's error.
boost::asio::awaitable<Result<std::vector<protocol::ListedBackup>>> list_backups(
    boost::asio::any_io_executor executor, const AgentOptions& options, const TargetConfig& target,
    Store& store, const Clock& clock);

}  // namespace rad
