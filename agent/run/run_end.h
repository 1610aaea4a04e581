// The end of a run: verdict, cleanup, logs, record, reporters. Internal to agent/run.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "agent/run/run_state.h"

namespace rad {

/// Draws the verdict, stops every plugin and removes or keeps what lies on the host. The record's
/// cleanup result is set either way. \return the first thing that could not be removed.
boost::asio::awaitable<Status> cleanup_stage(RunState& run);

/// Ends the record and tells every reporter. \return the first reporter's error, or the store's.
boost::asio::awaitable<Status> report_stage(RunState& run);

}  // namespace rad
