// The stages of a run that may decide its verdict. Internal to agent/run.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "agent/run/run_state.h"

namespace rad {

/// Accounts, directories, plugin processes; then each plugin's own preflight.
boost::asio::awaitable<Status> preflight_stage(RunState& run);
/// `inspect` or `verify`, by the run's depth.
boost::asio::awaitable<Status> fetch_stage(RunState& run);
/// The artifact, which must lie inside the run's scratch.
boost::asio::awaitable<Status> restore_stage(RunState& run);
/// The instance; sets the measured RTO.
boost::asio::awaitable<Status> recover_stage(RunState& run);

/// What really ended a stage: a cancellation, or what the restore plugin knows of it. A damaged WAL
/// segment makes the server fail, but the plugin that handed the segment over knows why. The error
/// that is not the cause is kept among the record's faults.
boost::asio::awaitable<Error> first_cause(RunState& run, Stage stage, Error error);

}  // namespace rad
