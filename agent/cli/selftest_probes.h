// Where verdicts go to: whether reporters can write and a running daemon answers. Blocking.
#pragma once

#include <functional>
#include <string>

#include "agent/config/config.h"
#include "agent/run/selftest.h"

namespace rad::cli {

/// Asks the reporters, the control socket and /metrics, and tells a step for each. A daemon that
/// does not run is no failure.
void probe_reports(const Config& config, const std::string& target,
                   const std::function<void(const SelftestStep&)>& tell);

}  // namespace rad::cli
