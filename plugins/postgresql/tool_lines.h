// Running a tool for as long as it takes, reading its lines as they come.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "agent/base/child_process.h"
#include "agent/base/error.h"

namespace rad::postgresql {

/// Runs `spec` with standard output and error on one pipe. `on_line` gets each line (also those
/// that end in a carriage return), cut to 8 KiB. No limit of time; a stop request kills the tool.
/// \return how it ended; cancelled; or as ChildProcess::start().
Result<ExitStatus> run_tool_lines(ChildSpec spec, std::stop_token stop,
                                  const std::function<void(std::string_view)>& on_line);

}  // namespace rad::postgresql
