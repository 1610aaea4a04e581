// Carries out what the script says, good and bad behaviour alike.
#pragma once

#include <filesystem>
#include <vector>

#include <boost/json/object.hpp>

#include "agent/base/error.h"
#include "plugins/sdk/plugin.h"

namespace rad::fake {

/// Where an act may leave things.
struct Stage {
  int raw_stdout = -1;  ///< the protocol's descriptor, past the SDK
  std::filesystem::path scratch;
  std::filesystem::path runtime;
  std::vector<std::filesystem::path> made;  ///< to be removed by cleanup
};

/// Everything of `act` but its result. May not return.
/// \return the act's error, cancelled when it was stopped while it waited, config_invalid for a
///   value that makes no sense.
Status perform(const boost::json::object& act, Stage& stage, sdk::Context& context);

/// Waits without a clock of its own; ends early with `cancelled` when the request is stopped.
Status wait(std::chrono::milliseconds time, sdk::Context& context);

}  // namespace rad::fake
