// What `rad-agent selftest` prints, and its exit status.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "agent/run/selftest.h"

namespace rad::cli {

/// One step, its hint below it; ends in a newline and is printable.
std::string selftest_line(const SelftestStep& step, std::size_t width);

/// The last line: whether the host can be trusted with the target.
std::string selftest_sum(std::string_view target, const std::vector<SelftestStep>& steps);

/// The one object of --json.
boost::json::object selftest_json(std::string_view target, const std::vector<SelftestStep>& steps);

/// 0 all that is needed was tried and is well, 1 something failed, 2 it was the configuration,
/// 3 nothing failed, but something needed could not be tried.
int selftest_status(const std::vector<SelftestStep>& steps);

/// Step of the configuration; a failure of it is a matter of usage.
inline constexpr std::string_view kConfigurationStep = "configuration";

}  // namespace rad::cli
