// What the SDK does around Plugin::check(), so that no check is ever lost. Internal to plugins/sdk.
#pragma once

#include <string>
#include <vector>

#include "plugins/protocol/messages.h"

namespace rad::sdk {

/// The checks of `asked` that can answer at `depth`; the others get an outcome in `outcomes`.
std::vector<protocol::CheckSpec> applicable(const std::vector<protocol::CheckSpec>& asked,
                                            const protocol::PluginInfo& info, Depth depth,
                                            std::vector<CheckOutcome>& outcomes);

/// Gives each of `asked` an outcome: one that the plugin said nothing about is inconclusive. Fills
/// in check types and reasons that were left out.
void complete(const std::vector<protocol::CheckSpec>& asked, std::vector<CheckOutcome>& outcomes);

/// Moves the outcomes to `path` when they are too many or too large for one line.
/// \return whether they were moved; scratch_full or host_unfit when that failed.
Result<bool> spill(protocol::CheckResult& result, const std::string& path);

}  // namespace rad::sdk
